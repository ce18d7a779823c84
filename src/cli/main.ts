#!/usr/bin/env node
import { exitCodes } from './output.ts';
import { run } from './run.ts';

/** A reader that stops reading (`| head`) is no failure of ours. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitCodes.holds);
  throw error;
});

process.exitCode = await run(process.argv.slice(2));
