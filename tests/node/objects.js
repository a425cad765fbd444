// Keeps objects of V8's heap and throws others away, in the main thread and in a worker; then ends
// as its argument says. With `inspector` it runs V8's sampler itself.
const { Worker, isMainThread, parentPort } = require('worker_threads');

const kept = [];

class Session {
    constructor(id) {
        this.id = id;
        this.words = Array.from({ length: 40 }, (_, i) => ({ i, id }));
    }
}

function keepSession(id) {
    kept.push(new Session(id));
}

function garbage(id) {
    return new Session(id).words.map((word) => ({ ...word })).length;
}

function work(then) {
    let turns = 60;
    const turn = () => {
        for (let i = 0; i < 80; i++) {
            keepSession(i);
            garbage(i);
            garbage(i);
        }
        if (--turns > 0) return setImmediate(turn);
        then();
    };
    turn();
}

async function sampled(then) {
    const inspector = require('inspector');
    const session = new inspector.Session();
    session.connect();
    const post = (method, parameters) => new Promise((resolve, reject) =>
        session.post(method, parameters, (error, answer) => (error ? reject(error) : resolve(answer))));
    await post('HeapProfiler.enable');
    await post('HeapProfiler.startSampling', { samplingInterval: 16384 });
    work(async () => {
        const { profile } = await post('HeapProfiler.getSamplingProfile');
        await post('HeapProfiler.stopSampling');
        const size = (node) => node.selfSize + node.children.reduce((sum, child) => sum + size(child), 0);
        console.log('sampled', size(profile.head) > 1 << 20);
        session.disconnect();
        then();
    });
}

function end() {
    if (!isMainThread) return parentPort.postMessage('done');
    console.log('objects=' + kept.length, '\nused=' + process.memoryUsage().heapUsed);
    if (process.argv[2] === 'exit') process.exit(4);
    if (process.argv[2] === 'throw') throw new Error('at the end');
    if (process.argv[2] === 'worker') {
        const worker = new Worker(__filename);
        worker.on('message', () => worker.terminate());
        worker.on('exit', () => console.log('worker ended'));
    }
}

if (process.argv[2] === 'inspector') sampled(end); else work(end);
