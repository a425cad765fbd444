// A database client that compiles a parser of rows for each query, and keeps it by the query's
// text; the texts have values in them. Repaired (`node compiled.js repaired`): by the columns.
const http = require('http');
const load = require('./load');

const repaired = process.argv[2] === 'repaired';
const parsers = new Map();

function compileParser(columns) {
    const lines = columns.map((name, i) => `this[${JSON.stringify(name)}] = parsers[${i}](rowData[${i}]);`);
    return new Function('parsers', 'rowData', lines.join('\n'));
}

function parserOf(text, columns) {
    const key = repaired ? columns.join() : text;
    if (!parsers.has(key)) parsers.set(key, compileParser(columns));
    return parsers.get(key);
}

function query(id) {
    const columns = ['id', 'name', 'mail', 'street', 'city', 'country', 'phone', 'created', 'changed'];
    const text = `SELECT ${columns} FROM users WHERE id = ${id}`;
    const Row = parserOf(text, columns);
    const row = new Row(columns.map(() => String), columns.map((name) => `${name} of ${id}`));
    return row.name;
}

let number = 0;

function onRequest(request, response) {
    response.end(String(query(number++)));
}

load(http.createServer(onRequest));
