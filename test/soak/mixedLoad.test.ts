// The load of the soak: everything in it comes through, and state stands still, so that what grows under it is the node's own.
import t from 'tap';
import { encodeUtf8 } from '../../src/codec/utf8.ts';
import { prefixRange } from '../../src/ledger/storeKeys.ts';
import { mixedLoad } from '../e2e/mixedLoad.ts';
import { addBlock, genesisDocument, genesisTime, MemoryDisk, makeTx, openInMemory } from '../ledger/fixtures.ts';

/** As on a development network (src/cli/testnet.ts). */
const rolesOf: Readonly<Record<string, readonly string[]>> = {
  council: [],
  'echo.weave': ['agent'],
  'misty.weave': ['agent'],
  operator: ['administrator', 'model-authoriser', 'routing-admin'],
  'oracle.weave': ['agent'],
  publisher: ['model-publisher'],
  'rogue.weave': ['agent'],
  'router-prime': ['router'],
  sentinel: ['sentinel'],
  verifier: ['model-verifier'],
};

t.setTimeout(120_000);

t.test('all kinds of transactions, and a state that hardly grows', async (t) => {
  const document = genesisDocument(1, { accounts: Object.keys(rolesOf) });
  const accounts = (document['accounts'] as { name: string; roles: string[] }[]).map((each) => ({
    ...each,
    roles: [...(rolesOf[each.name] ?? [])],
  }));
  const council = { threshold: 1, members: ['council'] };
  const memory = new MemoryDisk();
  const ledger = await openInMemory(encodeUtf8(JSON.stringify({ ...document, accounts, council })), memory);
  const { chain } = ledger.genesis;
  let seed = 1;
  const random = (): number => {
    seed = (seed * 16_807) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const next = mixedLoad(chain);
  const applied = new Map<string, number>();
  const codes = new Set<string>();
  let turn = 0;
  const run = async (turns: number): Promise<void> => {
    for (const end = turn + turns; turn < end; ) {
      const time = genesisTime + turn;
      const sent = Array.from({ length: 250 }, () => next(turn++, random));
      // No packets: they are most of it, and leave nothing in state.
      const envelopes = sent
        .filter(({ type }) => type !== 'packets.commit')
        .map(({ account, type, body }) => makeTx(chain, account, type, body, { expires: time + 60_000 }));
      const block = await addBlock(ledger, envelopes, { time: time + 250 });
      for (const { type, refused } of block.transactions) {
        if (refused === undefined) applied.set(type, (applied.get(type) ?? 0) + 1);
        else codes.add(refused);
      }
    }
  };
  const inState = async (): Promise<number> => {
    let count = 0;
    for await (const _ of memory.database.range(...prefixRange('s'))) count += 1;
    return count;
  };

  await run(4000);
  const registered = await inState();
  t.ok(registered > 2 * (100 + 50), `${registered} values after the beginning: each model and each agent has two`);
  await run(9000);
  const later = await inState();
  // Each newcomer leaves a model and its file, or a key.
  t.ok(later - registered <= 2 * 9, `${later - registered} more after nine newcomers`);

  for (const type of ['identity.register', 'identity.roles', 'identity.suspend', 'identity.resume', 'identity.rotate'])
    t.ok((applied.get(type) ?? 0) > 0, type);
  for (const type of ['register', 'attest', 'authorise', 'lineage', 'revoke'])
    t.ok((applied.get(`models.${type}`) ?? 0) > 0, `models.${type}`);
  for (const type of ['packets.mismatch', 'routing.instance']) t.ok((applied.get(type) ?? 0) > 0, type);
  t.ok(codes.size > 2, `and refusals: ${[...codes].join(', ')}`);
  for (const code of codes) t.notMatch(code, /FORM|INVALID|MALFORMED|UNSORTED|UNKNOWN/, 'of what fits, only not now');
  await ledger.close();
});
