// Keeps objects, then makes much garbage, under a profile of its own by the inspector. Says whether that profile
// has what is kept.
const inspector = require('inspector');

const session = new inspector.Session();
session.connect();
session.post('HeapProfiler.startSampling', { samplingInterval: 16384 });

const kept = [];
for (let id = 0; id < 40000; id++) kept.push({ id, words: new Array(50).fill(id) });

let turns = 60;
let sum = 0;

function churn() {
    for (let id = 0; id < 20000; id++) sum += JSON.stringify({ id, text: `x${id}` }).length;
    if (--turns > 0) return setTimeout(churn, 5);
    session.post('HeapProfiler.getSamplingProfile', (error, { profile }) => {
        const size = (node) => node.selfSize + node.children.reduce((sum, child) => sum + size(child), 0);
        console.log('kept', kept.length, 'seen', size(profile.head) > 40000 * 50 * 8 / 2);
    });
}

churn();
