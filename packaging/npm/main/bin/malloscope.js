#!/usr/bin/env node
// Starts the program of the platform package, and ends as it ends.
'use strict';

const { spawn } = require('child_process');

function program() {
  try {
    return require.resolve('@malloscope/linux-x64-gnu/bin/malloscope');
  } catch {
    console.error(
      'malloscope: its program is not installed. It is for x86-64 Linux with glibc, in the optional dependency ' +
        '@malloscope/linux-x64-gnu: install without --omit=optional.',
    );
    process.exit(1);
  }
}

function start(before) {
  const child = spawn(program(), [...before, ...process.argv.slice(2)], { stdio: 'inherit' });
  // A terminal sends these to both; the program decides what becomes of them.
  for (const signal of ['SIGINT', 'SIGQUIT']) process.on(signal, () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`malloscope: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

module.exports = { start };
if (require.main === module) start([]);
