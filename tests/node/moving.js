// Functions that are compiled, run hot and thrown away, with collections that compact: code moves,
// and its addresses are used again.
const kept = [];
let sum = 0;

for (let round = 0; round < 8; round++) {
    const made = [];
    for (let i = 0; i < 200; i++) {
        made.push(new Function('a', `let x = ${i}; for (let k = 0; k < a; k++) x += k;` +
            ` this.buffer = Buffer.alloc(100 + x % 50); return x + ${round}`));
    }
    for (let turn = 0; turn < 150; turn++) for (const one of made) sum += one.call({}, 10);
    for (let turn = 0; turn < 20; turn++) {
        const list = [];
        for (let i = 0; i < 10000; i++) list.push({ i, text: 'x' + i });
        sum += list.length;
    }
    if (round % 3 === 0) kept.push(made.slice(0, 20));
    if (global.gc) global.gc();
}
console.log('sum', sum, kept.length);
