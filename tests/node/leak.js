// Keeps buffers. Says how many bytes, then ends as its argument says.
const kept = [];

function openSession(size) {
    return { id: kept.length, buffer: Buffer.alloc(size) };
}

function handleRequest(number) {
    kept.push(openSession(4096 + number % 64));
    return JSON.stringify({ number, text: 'x'.repeat(100) }).length;
}

let done = 0;
let sum = 0;

function tick() {
    for (let i = 0; i < 500; i++) sum += handleRequest(done++);
    if (done < 10000) return setImmediate(tick);
    console.log('bytes=' + kept.reduce((sum, one) => sum + one.buffer.length, 0));
    process.on('exit', (code) => console.log('exit', code, sum));
    end(process.argv[2]);
}

function end(how) {
    if (how === 'exit') process.exit(3);
    if (how === 'throw') null.x;
    if (how === 'reject') Promise.reject(new Error('nobody waits'));
    if (how === 'abort') process.abort();
    if (how === 'kill') process.kill(process.pid, 'SIGTERM');
    if (how === 'kill') setTimeout(() => {}, 10000);
}

tick();
