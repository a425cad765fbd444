// A service that compresses its answers with a compressor for each session, which is never closed.
// The sessions are kept. Repaired (`node zlib.js repaired`): a session ends with its answer.
const zlib = require('zlib');
const http = require('http');
const load = require('./load');

const repaired = process.argv[2] === 'repaired';
const sessions = [];

function openSession(id) {
    const session = { id, gzip: zlib.createGzip({ level: 1, memLevel: 3, windowBits: 10 }) };
    session.gzip.reset();
    session.gzip.write(`session ${id}`);
    return session;
}

function handleRequest(id) {
    const session = openSession(id);
    if (repaired) session.gzip.close();
    else sessions.push(session);
    return session.id;
}

let number = 0;

function onRequest(request, response) {
    response.end(String(handleRequest(number++)));
}

load(http.createServer(onRequest));
