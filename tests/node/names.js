// The same function in each of its tiers, a method, an accessor, code without a file, and then
// functions whose code is thrown away and whose addresses others get.
const kept = [];

function hot(size) {
    kept.push(Buffer.alloc(size));
    return kept.length;
}

class Session {
    get buffer() { return Buffer.alloc(5000); }
    ['by name'](size) { kept.push(Buffer.alloc(size)); }
    static make() { kept.push(new Session().buffer); }
}

const compiled = new Function('size', 'kept', 'kept.push(Buffer.alloc(size))');
let sum = 0;

for (let i = 0; i < 6000; i++) sum += hot(4000 + i % 3);
for (let i = 0; i < 600; i++) {
    Session.make();
    new Session()['by name'](6000);
    compiled(7000, kept);
}

function thrownAway(round) {
    const bodies = [];
    for (let i = 0; i < 60; i++) {
        const name = `made_${round}_${i}`;
        const text = `(function ${name}(kept, size) { kept.push(Buffer.alloc(size)); return ${i}; })`;
        bodies.push(require('vm').runInThisContext(text, { filename: `/made/${round}.js` }));
    }
    for (let turn = 0; turn < 30; turn++) for (const body of bodies) sum += body(kept, 3000 + round);
}

for (let round = 0; round < 10; round++) {
    thrownAway(round);
    if (global.gc) global.gc();
}
console.log('kept', kept.length, sum);
process.exit(0);
