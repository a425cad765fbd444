// A primary and two workers that answer requests, then end in an orderly way.
const cluster = require('cluster');
const http = require('http');

if (cluster.isPrimary) {
    let ended = 0;
    let answered = 0;
    cluster.on('listening', (worker, { port }) => {
        if (++answered === 2) ask(port, 40);
    });
    cluster.on('exit', (worker, code, signal) => {
        if (++ended === 2) console.log('ended', code, signal);
    });
    for (let i = 0; i < 2; i++) cluster.fork();
} else {
    const kept = [];
    http.createServer((request, response) => {
        kept.push(Buffer.alloc(20000));
        response.end(String(kept.length > 0));
    }).listen(0, '127.0.0.1');
    process.on('message', () => process.exit(0));
}

function ask(port, left) {
    if (left === 0) {
        for (const worker of Object.values(cluster.workers)) worker.send('end');
        return;
    }
    http.get({ port, agent: false }, (response) => {
        response.resume().on('end', () => ask(port, left - 1));
    });
}
