// A thread that holds many WebSockets open, each subscribed to blocks, and reads what comes. Its own thread, so that the load generator
// keeps its event loop for itself.
import { parentPort, workerData } from 'node:worker_threads';
import { openSocket } from './submitter.ts';

export type SubscriberTask = { readonly urls: readonly string[]; readonly count: number };

const { urls, count } = workerData as SubscriberTask;
let heard = 0;
for (let i = 0; i < count; i += 1) {
  const socket = await openSocket(urls[i % urls.length] ?? '');
  socket.on('message', () => {
    heard += 1;
  });
  socket.on('close', () => parentPort?.postMessage({ closed: true }));
  socket.send('{"jsonrpc":"2.0","id":0,"method":"subscribe","params":{"topic":"blocks"}}');
}
parentPort?.on('message', () => parentPort?.postMessage({ heard }));
parentPort?.postMessage({ open: count });
