import { readFileSync } from 'node:fs';
import t from 'tap';
import { validate } from '../../schemas/validators.ts';
import * as browser from '../../src/token/browser.ts';
import * as node from '../../src/token/node.ts';
import { makeStatusVectors, statusVectorsUrl } from './statusVectors.ts';

const vectors = JSON.parse(readFileSync(statusVectorsUrl, 'utf8'));

t.test('the bytes that we write are those that are frozen', async (t) => {
  t.strictSame(JSON.parse(JSON.stringify(makeStatusVectors())), vectors);
});

t.test('they are what their schemas say', async (t) => {
  const documents = {
    status: vectors.status,
    'status of what is absent': vectors.absent.status,
    walk: vectors.walk.walk,
  };
  for (const [name, text] of Object.entries(documents)) {
    const schema = name.split(' ')[0] ?? '';
    t.equal(validate(schema, JSON.parse(text)), undefined, name);
    t.type(validate(schema, { ...JSON.parse(text), more: 1 }), 'string', 'and nothing else');
  }
});

for (const [runtime, entry] of Object.entries({ node, browser })) {
  t.test(`the frozen statuses and the walk (${runtime})`, async (t) => {
    const { trust, time, token, status, paused, absent, consumed, walk } = vectors;
    const options = { trust, now: time + 1_000 };
    t.match(entry.checkStatus(token, status, options), { usesLeft: 1, checkpointTime: time });
    t.throws(() => entry.checkStatus(token, paused.status, options), { code: 'STATUS_PAUSED' });
    t.equal(entry.verifyState(absent.status, options).values.get('identity/account/nobody'), null);
    const verified = entry.verifyToken(token, { trust });
    if (verified.kind !== 'grant') throw new Error('no grant');
    const { attempt } = consumed;
    t.match(entry.verifyConsumed(consumed.token, { ...options, grant: verified.grant, attempt }), { use: 1 });
    t.equal(entry.walkTrust(walk.walk, { trust: walk.from, now: time }).file, walk.to);
  });
}
