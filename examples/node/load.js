// Asks a server again and again, for some seconds.
const http = require('http');

const seconds = Number(process.env.LOAD_SECONDS || 30);
const clients = 4;

module.exports = function load(server) {
    let number = 0;
    server.on('request', () => number++);
    server.listen(0, '127.0.0.1', () => {
        const agent = new http.Agent({ keepAlive: true, maxSockets: clients });
        const options = { port: server.address().port, agent };
        const end = Date.now() + 1000 * seconds;
        let open = clients;
        const ask = () => {
            if (Date.now() > end) {
                if (--open === 0) finish(number);
                return;
            }
            http.get(options, (response) => response.resume().on('end', () => setTimeout(ask, 10)));
        };
        for (let i = 0; i < clients; i++) ask();
    });
};

function finish(requests) {
    const { rss, heapUsed, external } = process.memoryUsage();
    const mebibytes = (bytes) => Math.round(bytes / (1 << 20));
    console.log(`${requests} requests; rss ${mebibytes(rss)} MiB, ` +
        `JavaScript heap ${mebibytes(heapUsed)} MiB, outside it ${mebibytes(external)} MiB`);
    process.exit(0);
}
