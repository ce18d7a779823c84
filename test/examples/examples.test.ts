import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { acknowledgementBytes } from '../../contracts/packets/acknowledge.ts';
import { checkTable } from '../../contracts/routing/table.ts';
import type { RoutingTable } from '../../schemas/types/routing-table.ts';
import type { PacketsAcknowledgeBody } from '../../schemas/types/tx/packets.acknowledge.ts';
import { hasSchema, validate } from '../../schemas/validators.ts';
import { checkCarrier, generatePacketKey, openPacket, type PacketHead, sealPacket } from '../../src/client/packet.ts';
import { fromBase64Url } from '../../src/codec/base64.ts';
import { canonicalJson } from '../../src/codec/canonical.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/codec/utf8.ts';
import { publicKeyOf, verifyFast } from '../../src/crypto/ed25519.ts';
import { keyId } from '../../src/crypto/keyId.ts';

const folder = new URL('../../examples/', import.meta.url);
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
const names = (sub: string) => readdirSync(new URL(sub, folder)).map((file) => file.replace(/\.json$/, ''));

t.test('each document holds to its schema', async (t) => {
  t.equal(validate('routing-table', read('routing-table.json')), undefined);
  t.equal(validate('model-record', read('model-record.json')), undefined);
  const types = names('transactions/');
  t.ok(types.length > 10);
  for (const type of types) {
    t.ok(hasSchema(`tx/${type}`), `${type} is a type of transaction`);
    t.equal(validate(`tx/${type}`, read(`transactions/${type}.json`)), undefined, type);
  }
});

t.test('each packet can be sealed, carried and opened', async (t) => {
  const target = generatePacketKey();
  for (const name of names('packets/')) {
    const { head, content, ...rest } = read(`packets/${name}.json`) as { head: PacketHead; content: unknown };
    t.strictSame(rest, {});
    const packet = await sealPacket(head, encodeUtf8(canonicalJson(content)), target.publicKey);
    const opened = await openPacket(checkCarrier(packet), target.secretKey);
    t.strictSame(JSON.parse(decodeUtf8(opened)), content, name);
  }
});

t.test('the table is one that the ledger would publish', async (t) => {
  const accounts = new Map<string, unknown>();
  for (const account of ['misty.weave', 'oracle.weave', 'echo.weave', 'rogue.weave']) {
    accounts.set(`identity/account/${account}`, { account, roles: ['agent'], status: 'active', keys: [] });
    accounts.set(`routing/instance/${account}`, {
      instance: account,
      state: 'up',
      endpoint: null,
      model: null,
      since: 1,
    });
  }
  const state = { get: (path: string) => accounts.get(path) as never };
  t.equal(checkTable(state, read('routing-table.json') as RoutingTable), undefined);
  t.strictSame((read('transactions/routing.publish.json') as { table: unknown }).table, read('routing-table.json'));
});

t.test('the acknowledgement is signed as the ledger wants it', async (t) => {
  const { acknowledgements } = read('transactions/packets.acknowledge.json') as PacketsAcknowledgeBody;
  const publicKey = publicKeyOf(new Uint8Array(32).fill(3));
  for (const each of acknowledgements) {
    t.equal(each.keyid, keyId(1, publicKey));
    t.ok(verifyFast(acknowledgementBytes('weft-dev-3f09c2a41b7e', each), fromBase64Url(each.sig), publicKey));
  }
});
