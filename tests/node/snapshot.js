// For --build-snapshot: keeps some objects, and prints how many when the snapshot is run.
const kept = [];
for (let i = 0; i < 1000; i++) kept.push({ text: `object ${i}`.repeat(20) });
require('v8').startupSnapshot.setDeserializeMainFunction(() => console.log(kept.length));
