#!/usr/bin/env node
import { keepCompiledCode } from './compiledCode.ts';
import { startAnew } from './nodeFlags.ts';
import { exitCodes } from './output.ts';

/** A reader that stops reading (`| head`) is no failure of ours. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitCodes.holds);
  throw error;
});

const words = process.argv.slice(2);
// Before anything else is loaded: it would be loaded twice, or compiled once more.
if (words[0] === 'start') startAnew('start');
keepCompiledCode();
const { run } = await import('./run.ts');
process.exitCode = await run(words);
