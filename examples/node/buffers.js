// An upload service that remembers the body of every upload, to answer a retry; retries are rare.
// Repaired (`node buffers.js repaired`): of the last hundred.
const http = require('http');
const load = require('./load');

const repaired = process.argv[2] === 'repaired';
const uploads = new Map();

function receive(id) {
    return Buffer.alloc(32768 + id % 512, id);
}

function remember(id, body) {
    uploads.set(id, body);
    if (repaired && uploads.size > 100) uploads.delete(uploads.keys().next().value);
}

function handleUpload(id) {
    const body = receive(id);
    remember(id, body);
    return body.length;
}

let number = 0;

function onRequest(request, response) {
    response.end(String(handleUpload(number++)));
}

load(http.createServer(onRequest));
