const zlib = require("zlib");
let kept = [];
for (let i = 0; i < 4000; i++) {
    const text = JSON.stringify(Array.from({ length: 300 }, (_, k) => ({ id: k, name: "n".repeat(k % 99) })));
    kept[i % 50] = zlib.deflateSync(Buffer.from(text), { level: 1 });
}
