// Four workers that keep buffers, then eight that come and go.
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

const kept = [];

function keepInWorker(size) {
    kept.push(Buffer.alloc(size));
}

function lead() {
    let left = 8;
    const short = () => {
        if (left-- === 0) return parent(staying);
        const worker = new Worker(__filename, { workerData: 'short' });
        worker.on('error', (error) => { throw error; });
        worker.on('exit', short);
    };
    const staying = [];
    let ready = 0;
    for (let i = 0; i < 4; i++) {
        const worker = new Worker(__filename, { workerData: 'stays' });
        worker.on('message', () => { if (++ready === 4) short(); });
        staying.push(worker);
    }
}

function parent(staying) {
    console.log('workers', staying.length);
    process.exit(0);
}

function work() {
    let turns = workerData === 'stays' ? 60 : 6;
    const turn = () => {
        for (let i = 0; i < 50; i++) keepInWorker(4000 + i);
        if (--turns > 0) return setImmediate(turn);
        if (workerData === 'stays') {
            parentPort.postMessage('ready');
            setInterval(() => {}, 1000);
        } else if (Math.random() < 0.5) {
            process.exit(0);
        }
    };
    turn();
}

if (isMainThread) lead(); else work();
