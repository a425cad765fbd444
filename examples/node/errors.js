// A service that writes out each error with its details, and keeps the texts for a page that shows
// them. Repaired (`node errors.js repaired`): the last hundred.
const util = require('util');
const http = require('http');
const load = require('./load');

const repaired = process.argv[2] === 'repaired';
const texts = [];

function describe(error) {
    return util.inspect(error, { depth: 4 });
}

function handleError(error) {
    texts.push(describe(error));
    if (repaired && texts.length > 100) texts.shift();
}

function handleRequest(id) {
    const error = new Error(`no user ${id}`);
    error.query = { text: 'SELECT name FROM users WHERE id = $1', values: [id, `token-${id}`] };
    error.headers = { 'x-request': `${id}`, accept: 'text/html', host: 'localhost' };
    handleError(error);
    return texts.length;
}

let number = 0;

function onRequest(request, response) {
    response.end(String(handleRequest(number++)));
}

load(http.createServer(onRequest));
