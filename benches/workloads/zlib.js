// zlib as servers use it: answers packed and unpacked at once, and streams on libuv's threads, eight at a time.
const zlib = require("zlib");
const { pipeline } = require("stream/promises");
const { Readable, Writable } = require("stream");

const texts = Array.from({ length: 20 }, (_, i) =>
    Buffer.from(JSON.stringify(Array.from({ length: 20 + 10 * i }, (_, k) => ({ id: k * i, name: "n".repeat(k % 99) })))));

function atOnce(rounds) {
    for (let i = 0; i < rounds; i++) {
        const text = texts[i % texts.length];
        const back = zlib.inflateSync(zlib.deflateSync(text, { level: 1 }));
        if (back.length !== text.length) throw new Error("the text came back shorter or longer");
    }
}

async function streams(rounds) {
    const nowhere = () => new Writable({ write(chunk, encoding, done) { done(); } });
    for (let i = 0; i < rounds; i += 8) {
        await Promise.all(Array.from({ length: 8 }, (_, k) => {
            const text = texts[(i + k) % texts.length];
            return pipeline(Readable.from([text, text, text]), zlib.createGzip(), zlib.createGunzip(), nowhere());
        }));
    }
}

atOnce(2500);
streams(800);
