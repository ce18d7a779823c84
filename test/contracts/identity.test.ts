import t from 'tap';
import type { Change } from '../../contracts/governance/state.ts';
import { ticketDigest } from '../../contracts/identity/tickets.ts';
import { activeKey } from '../../contracts/signatures.ts';
import { validate } from '../../schemas/validators.ts';
import { toBase64Url } from '../../src/codec/base64.ts';
import { fromHex, toHex } from '../../src/codec/hex.ts';
import { entry, propose, threeMembers, validatorsChange } from './governance.samples.ts';
import { keyOf, Network, p256Key, plainKey, provenKey, seedOf } from './network.ts';

const new1 = { account: 'new.one', roles: ['agent'], keys: [plainKey('new.one')] };

t.test('register: an account that can send at once', async (t) => {
  const network = new Network();
  const { records, refused } = network.send('admin', 'identity.register', new1);
  t.equal(refused, undefined);
  t.equal(records.length, 1);
  t.equal(validate('record/identity.registered', records[0]), undefined);
  t.strictSame(Object.keys(records[0]!), ['type', 'height', 'time', 'tx', 'by', 'account', 'roles', 'keys']);
  t.equal(validate('account-record', network.state.get('identity/account/new.one')), undefined);
  t.equal(toHex(activeKey(network.reader(), 'new.one', keyOf('new.one').keyid)!.publicKey).length, 64);
  t.equal(
    network.send('new.one', 'packets.mismatch', {
      id: 'a'.repeat(64),
      kind: 'DIGEST',
      expected: null,
      observed: null,
      evidence: null,
    }).refused,
    undefined,
  );
});

t.test('register: what is refused', async (t) => {
  const network = new Network();
  const code = (body: unknown) => network.send('admin', 'identity.register', body).refused;
  t.equal(code({ ...new1, account: 'misty.weave' }), 'ACCOUNT_EXISTS');
  t.equal(code({ ...new1, roles: ['b', 'a'] }), 'LIST_UNSORTED');
  t.equal(code({ ...new1, roles: ['council'] }), 'ROLE_RESERVED');
  t.equal(code({ ...new1, roles: ['validator'] }), 'ROLE_RESERVED');
  t.equal(code({ ...new1, keys: [plainKey('misty.weave')] }), 'KEY_REGISTERED', 'a key of somebody else');
  t.equal(code({ ...new1, keys: [plainKey('x'), plainKey('x')] }), 'KEY_REGISTERED', 'twice in one transaction');
  t.equal(
    code({ ...new1, keys: [{ alg: 'ed25519', publicKey: toBase64Url(new Uint8Array(32)) }] }),
    'KEY_INVALID',
    'small order',
  );
  t.equal(
    code({ ...new1, keys: [{ alg: 'ed25519', publicKey: toBase64Url(fromHex(`ee${'ff'.repeat(30)}7f`)) }] }),
    'KEY_INVALID',
    'not canonical',
  );
  t.equal(
    code({ ...new1, keys: [{ alg: 'p256', publicKey: plainKey('x').publicKey }] }),
    'KEY_INVALID',
    'length of another algorithm',
  );
  t.equal(
    code({ ...new1, keys: [{ alg: 'x25519', publicKey: toBase64Url(new Uint8Array(32)) }] }),
    'KEY_INVALID',
    'no secret at all',
  );
  t.equal(
    code({ ...new1, keys: [{ alg: 'x25519', publicKey: toBase64Url(fromHex(`ed${'ff'.repeat(30)}7f`)) }] }),
    'KEY_INVALID',
    'p is zero',
  );
  t.equal(
    code({ ...new1, keys: [{ alg: 'x25519', publicKey: toBase64Url(fromHex(`09${'00'.repeat(31)}`)) }] }),
    'KEY_MISSING',
    'none that signs',
  );
  t.equal(network.state.has('identity/account/new.one'), false);
  t.equal(
    code({ ...new1, keys: [p256Key('x'), { alg: 'x25519', publicKey: toBase64Url(fromHex(`09${'00'.repeat(31)}`)) }] }),
    undefined,
  );
});

t.test('rotate: new keys prove themselves, old ones end and never come back', async (t) => {
  const network = new Network();
  const rotate = (body: object) =>
    network.send('misty.weave', 'identity.rotate', { account: 'misty.weave', add: [], remove: [], ...body });
  const old = keyOf('misty.weave').keyid;
  const fresh = provenKey(network.chain, 'misty.weave', 'misty-2');
  t.equal(rotate({}).refused, 'NOTHING_TO_DO');
  t.equal(rotate({ remove: ['ff'.repeat(8)] }).refused, 'KEY_UNKNOWN');
  t.equal(rotate({ remove: [old] }).refused, 'KEY_MISSING', 'no key would be left');
  t.equal(rotate({ remove: ['ff'.repeat(8), old] }).refused, 'LIST_UNSORTED');
  t.equal(
    rotate({ add: [{ ...fresh, proof: provenKey(network.chain, 'oracle.weave', 'misty-2').proof }] }).refused,
    'PROOF_INVALID',
    'a proof for another account',
  );
  t.equal(rotate({ add: [{ ...fresh, proof: null }] }).refused, 'PROOF_INVALID');
  t.equal(rotate({ add: [{ ...provenKey(network.chain, 'misty.weave', 'oracle.weave') }] }).refused, 'KEY_REGISTERED');
  t.equal(
    rotate({ add: [{ alg: 'ed25519', publicKey: toBase64Url(new Uint8Array(32)), proof: fresh.proof }] }).refused,
    'KEY_INVALID',
  );
  t.equal(
    network.send('admin', 'identity.rotate', { account: 'nobody', add: [], remove: [] }).refused,
    'ACCOUNT_UNKNOWN',
  );

  const done = rotate({ add: [fresh], remove: [old] });
  t.equal(done.refused, undefined);
  t.equal(validate('record/identity.rotated', done.records[0]), undefined);
  t.equal(
    rotate({ add: [provenKey(network.chain, 'misty.weave', 'misty-3')] }).refused,
    'KEY_INACTIVE',
    'effective from the next transaction',
  );
  const again = network.send(
    'misty.weave',
    'identity.rotate',
    { account: 'misty.weave', add: [provenKey(network.chain, 'misty.weave', 'misty.weave')], remove: [] },
    { signers: ['misty-2'] },
  );
  t.equal(again.refused, 'KEY_REGISTERED', 'an ended key stays ended');
  const p256 = network.send(
    'misty.weave',
    'identity.rotate',
    { account: 'misty.weave', add: [provenKey(network.chain, 'misty.weave', 'p', 'p256')], remove: [] },
    { signers: ['misty-2'] },
  );
  t.equal(p256.refused, undefined);
  for (const [at, length] of [4, 4, 4, 2].entries()) {
    const add = Array.from({ length }, (_, i) => provenKey(network.chain, 'misty.weave', `many-${at}-${i}`));
    t.equal(
      network.send(
        'misty.weave',
        'identity.rotate',
        { account: 'misty.weave', add, remove: [] },
        { signers: ['misty-2'] },
      ).refused,
      undefined,
    );
  }
  const onceMore = {
    account: 'misty.weave',
    add: [provenKey(network.chain, 'misty.weave', 'one too many')],
    remove: [],
  };
  t.equal(network.send('misty.weave', 'identity.rotate', onceMore, { signers: ['misty-2'] }).refused, 'KEYS_TOO_MANY');
});

t.test('revoke: effective from the next transaction of the same block', async (t) => {
  const network = new Network();
  const keyid = keyOf('misty.weave').keyid;
  const later = network.transaction('misty.weave', 'packets.mismatch', {
    id: 'a'.repeat(64),
    kind: 'DIGEST',
    expected: null,
    observed: null,
    evidence: null,
  });
  t.equal(
    network.send('admin', 'identity.revoke', { account: 'nobody', keyid, reason: '' }).refused,
    'ACCOUNT_UNKNOWN',
  );
  t.equal(
    network.send('admin', 'identity.revoke', { account: 'oracle.weave', keyid, reason: '' }).refused,
    'KEY_UNKNOWN',
  );
  const done = network.send('misty.weave', 'identity.revoke', { account: 'misty.weave', keyid, reason: 'stolen' });
  t.equal(done.refused, undefined, 'the last key of an account may go');
  t.equal(validate('record/identity.revoked', done.records[0]), undefined);
  const refused = network.execute(later);
  t.equal(refused.refused, 'KEY_INACTIVE');
  t.equal(refused.records.length, 1);
  t.equal(refused.changes.size, 0);
  t.equal(validate('record/tx.refused', refused.records[0]), undefined);
  t.match(network.state.get(`identity/key/${keyid}`), { status: 'revoked', account: 'misty.weave' });
});

t.test('the council always keeps enough keys to decide', async (t) => {
  const network = new Network();
  const keyid = keyOf('admin').keyid;
  t.equal(
    network.send('admin', 'identity.revoke', { account: 'admin', keyid, reason: '' }).refused,
    'LAST_COUNCIL_KEY',
  );
  t.equal(network.send('admin', 'identity.suspend', { account: 'admin', reason: '' }).refused, 'LAST_COUNCIL_KEY');
  const fresh = provenKey(network.chain, 'admin', 'admin-2');
  t.equal(
    network.send('admin', 'identity.rotate', { account: 'admin', add: [fresh], remove: [keyid] }).refused,
    undefined,
  );
  t.strictSame((network.state.get('identity/account/admin') as { roles: string[] }).roles, [
    'administrator',
    'council',
    'routing-admin',
  ]);
});

t.test('no member of the council takes another one over, nor a validator, whatever policy says', async (t) => {
  const network = threeMembers();
  const take = (account: string, by = 'admin'): (string | undefined)[] => {
    const { keyid } = keyOf(account);
    const stolen = provenKey(network.chain, account, `the thief’s key of ${account}`);
    return [
      network.send(by, 'identity.rotate', { account, add: [stolen], remove: [keyid] }).refused,
      network.send(by, 'identity.revoke', { account, keyid, reason: '' }).refused,
      network.send(by, 'identity.suspend', { account, reason: '' }).refused,
      network.send(by, 'identity.roles', { account, roles: ['sentinel'] }).refused,
    ];
  };
  for (const [account, by] of [
    ['femto', 'admin'],
    ['v1', 'admin'],
    ['v1', 'v2'],
    ['femto', 'misty.weave'],
  ] as const)
    t.strictSame(take(account, by), Array(4).fill('ACCOUNT_GOVERNED'), `${by} takes ${account}`);
  t.strictSame(network.asked.at(-1)!.action, 'identity.roles', 'policy has agreed');

  const fresh = provenKey(network.chain, 'femto', 'femto-2');
  const own = { account: 'femto', add: [fresh], remove: [] };
  t.equal(network.send('femto', 'identity.rotate', own).refused, undefined, 'its own keys');
  const { keyid } = keyOf('femto-2');
  t.equal(network.send('femto', 'identity.revoke', { account: 'femto', keyid, reason: '' }).refused, undefined);
  t.equal(network.send('femto', 'identity.suspend', { account: 'femto', reason: 'stolen' }).refused, undefined);
  t.equal(network.send('admin', 'identity.resume', { account: 'femto', reason: 'found' }).refused, undefined);
  t.strictSame(take('misty.weave').slice(2), [undefined, undefined], 'others are the council’s to stop');
});

t.test('an account that is to sit in the council, or to speak for a validator, gets no keys of others', async (t) => {
  const changes: readonly Change[] = [
    { kind: 'council', threshold: 2, members: ['admin', 'misty.weave', 'scanner'] },
    validatorsChange(entry('v1', 1, { account: 'misty.weave' })),
  ];
  for (const change of changes) {
    const network = threeMembers();
    const id = propose(network, change);
    const stolen = provenKey(network.chain, 'misty.weave', 'the thief’s key');
    const rotate = (by: string) =>
      network.send(by, 'identity.rotate', { account: 'misty.weave', add: [stolen], remove: [] }).refused;
    const suspend = () => network.send('admin', 'identity.suspend', { account: 'misty.weave', reason: '' }).refused;
    t.equal(rotate('admin'), 'ACCOUNT_GOVERNED', change.kind);
    t.equal(suspend(), undefined, 'it may be stopped');
    network.send('admin', 'governance.withdraw', { proposal: id });
    t.equal(rotate('admin'), undefined, 'it is an account like any other');
  }
});

t.test('roles: the difference is what policy is asked about; what the ledger gave stays', async (t) => {
  const network = new Network();
  const roles = (account: string, wanted: string[], by = 'admin') =>
    network.send(by, 'identity.roles', { account, roles: wanted });
  t.equal(roles('nobody', []).refused, 'ACCOUNT_UNKNOWN');
  t.equal(roles('misty.weave', ['b', 'a']).refused, 'LIST_UNSORTED');
  t.equal(roles('misty.weave', ['council']).refused, 'ROLE_RESERVED');
  t.equal(roles('misty.weave', ['agent']).refused, 'NOTHING_TO_DO');
  t.equal(
    roles(
      'v1',
      Array.from({ length: 16 }, (_, i) => `r${String(i).padStart(2, '0')}`),
      'v1',
    ).refused,
    'ROLES_TOO_MANY',
  );
  const done = roles('admin', ['administrator', 'sentinel']);
  t.equal(validate('record/identity.assigned', done.records[0]), undefined);
  t.match(done.records[0], {
    roles: ['administrator', 'council', 'sentinel'],
    granted: ['sentinel'],
    withdrawn: ['routing-admin'],
  });
  t.match(network.asked.at(-1)!.context, { granted: ['sentinel'], withdrawn: ['routing-admin'] });
});

t.test('suspend and resume', async (t) => {
  const network = new Network();
  const about = (type: string, account = 'misty.weave') => network.send('admin', type, { account, reason: 'because' });
  t.equal(about('identity.suspend', 'nobody').refused, 'ACCOUNT_UNKNOWN');
  t.equal(about('identity.resume', 'nobody').refused, 'ACCOUNT_UNKNOWN');
  t.equal(about('identity.resume').refused, 'ACCOUNT_NOT_SUSPENDED');
  t.equal(validate('record/identity.suspended', about('identity.suspend').records[0]), undefined);
  t.equal(about('identity.suspend').refused, 'ACCOUNT_SUSPENDED');
  t.equal(
    network.send('misty.weave', 'identity.resume', { account: 'misty.weave', reason: '' }).refused,
    'ACCOUNT_INACTIVE',
  );
  t.equal(validate('record/identity.resumed', about('identity.resume').records[0]), undefined);
  t.equal(
    network.send('misty.weave', 'identity.suspend', { account: 'nobody', reason: '' }).refused,
    'ACCOUNT_UNKNOWN',
    'it can send again',
  );
});

t.test('enrolment tickets: once, in time, by the redeemer', async (t) => {
  const network = new Network();
  const secret = seedOf('ticket');
  const offer = {
    digest: ticketDigest(secret),
    account: 'host-17',
    roles: ['agent'],
    redeemer: 'router-prime',
    expires: network.block.time + 10_000,
  };
  const issue = (body: object = {}) => network.send('admin', 'identity.ticket', { ...offer, ...body });
  t.equal(issue({ account: 'misty.weave' }).refused, 'ACCOUNT_EXISTS');
  t.equal(issue({ redeemer: 'nobody' }).refused, 'ACCOUNT_UNKNOWN');
  t.equal(issue({ roles: ['council'] }).refused, 'ROLE_RESERVED');
  t.equal(issue({ expires: network.block.time }).refused, 'TICKET_EXPIRES');
  t.equal(issue({ expires: network.block.time + 31 * 86_400_000 }).refused, 'TICKET_EXPIRES');
  const issued = issue();
  t.equal(validate('record/identity.ticketed', issued.records[0]), undefined);
  t.equal(issue().refused, 'TICKET_EXISTS');

  const body = { secret: toBase64Url(secret), keys: [provenKey(network.chain, 'host-17', 'host-17')] };
  const redeem = (changed: object = {}, by = 'router-prime') =>
    network.send(by, 'identity.redeem', { ...body, ...changed });
  t.equal(redeem({ secret: toBase64Url(seedOf('guess')) }).refused, 'TICKET_UNKNOWN');
  t.equal(redeem({}, 'misty.weave').refused, 'TICKET_REDEEMER', 'a secret seen on its way is of no use to others');
  t.equal(redeem({ keys: [{ ...plainKey('host-17'), proof: null }] }).refused, 'PROOF_INVALID');
  t.equal(redeem({ keys: [provenKey(network.chain, 'host-17', 'oracle.weave')] }).refused, 'KEY_REGISTERED');
  t.equal(
    redeem({ keys: [{ alg: 'x25519', publicKey: toBase64Url(fromHex(`09${'00'.repeat(31)}`)), proof: null }] }).refused,
    'KEY_MISSING',
  );
  network.next(10_000);
  t.equal(redeem().refused, 'TICKET_EXPIRED');
  network.next(-10_000);
  const done = redeem();
  t.equal(done.refused, undefined);
  t.equal(validate('record/identity.redeemed', done.records[0]), undefined);
  t.equal(redeem().refused, 'TICKET_USED');
  t.match(network.state.get('identity/account/host-17'), { status: 'active', roles: ['agent'] });

  const other = seedOf('ticket 2');
  t.equal(
    network.send('femto', 'identity.ticket', {
      ...offer,
      digest: ticketDigest(other),
      account: 'host-18',
      expires: network.block.time + 10_000,
    }).refused,
    undefined,
  );
  t.equal(network.send('admin', 'identity.suspend', { account: 'femto', reason: '' }).refused, undefined);
  t.equal(
    network.send('router-prime', 'identity.redeem', {
      secret: toBase64Url(other),
      keys: [provenKey(network.chain, 'host-18', 'host-18')],
    }).refused,
    'TICKET_ISSUER',
  );
});
