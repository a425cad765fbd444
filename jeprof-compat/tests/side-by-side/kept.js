const zlib = require('zlib');
const kept = [];
function open(n) { for (let i = 0; i < n; i++) kept.push(zlib.createDeflate(), Buffer.alloc(50000, 1)); }
open(100);
setTimeout(() => process.exit(0), 200);
