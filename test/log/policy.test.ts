import fc from 'fast-check';
import t from 'tap';
import { toBase64 } from '../../src/codec/base64.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { formatTlogPolicy, parseTlogPolicy, quorumReached } from '../../src/log/tlogPolicy.ts';
import { formatTlogProof, parseTlogProof } from '../../src/log/tlogProof.ts';
import { algCosigner, formatVkey } from '../../src/log/vkey.ts';
import { sampleKey, sampleNetwork } from './sample.ts';

const network = sampleNetwork(6);
const [log1, log2] = network.logs.map(({ key }) => formatVkey(key));
const w = network.cosigners.map(({ key }) => formatVkey(key));

/** The shape of the specification's own example: two groups under a third. */
const nested = `# checkedAt 1
log ${log1}
\tlog ${log2} https://log.example/

witness x1 ${w[0]} https://x1.example/
witness x2 ${w[1]} https://x2.example/
witness x3 ${w[2]} https://x3.example/
group X-witnesses 2 x1 x2 x3
  # another
witness y1 ${w[3]} https://y1.example/
witness y2   ${w[4]}\thttp://y2.example/
group Y-witnesses any y1 y2
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
`;

t.test('reads what C2SP tlog-policy describes', async (t) => {
  const policy = parseTlogPolicy(sha256, nested);
  t.equal(policy.logs.length, 2);
  t.same(
    policy.groups.map(({ name, threshold }) => [name, threshold]),
    [
      ['X-witnesses', 2],
      ['Y-witnesses', 1],
      ['X-and-Y', 2],
    ],
  );
  t.same(policy.comments, ['checkedAt 1', 'another']);
  const reached = (...names: string[]) => quorumReached(policy, new Set(names));
  t.ok(reached('x1', 'x3', 'y2'));
  t.notOk(reached('x1', 'y1', 'y2'));
  t.notOk(reached('x1', 'x2', 'x3'));
  t.notOk(reached());
  t.same(parseTlogPolicy(sha256, formatTlogPolicy(sha256, policy)), policy);
  const free = parseTlogPolicy(sha256, `log ${log1}\nquorum none\n`);
  t.ok(quorumReached(free, new Set()));
});

t.test('refuses what would mean something else elsewhere', async (t) => {
  const line = (from: string | RegExp, to: string) => nested.replace(from, to);
  const key = sampleKey('someone', algCosigner, 'someone').key;
  const aliased = formatVkey(sampleKey('alias', algCosigner, 'cosigner v1').key);
  for (const [why, bad] of Object.entries({
    'no quorum': line('quorum X-and-Y\n', ''),
    'two quorums': `${nested}quorum x1\n`,
    'quorum before its definition': `quorum V\n${nested}`,
    'unknown line': `${nested}observer x\n`,
    'case of a keyword': line('log ', 'Log '),
    'carriage return': nested.replaceAll('\n', '\r\n'),
    'no last newline': nested.slice(0, -1),
    'unknown member': line('x1 x2 x3\n', 'x1 x2 x9\n'),
    'member twice': line('x1 x2 x3\n', 'x1 x2 x2\n'),
    'member of two groups': line('any y1 y2', 'any y1 x2'),
    'threshold zero': line('2 x1', '0 x1'),
    'threshold too large': line('2 x1', '4 x1'),
    'threshold with zero in front': line('2 x1', '02 x1'),
    'no member': line('any y1 y2', 'any'),
    'name taken': line('witness y1', 'witness x1'),
    'keyword as a name': line('witness y1', 'witness any'),
    'upper case witness': line('witness y1', 'witness Y1'),
    'no url': line(' https://x1.example/', ''),
    'url with #': line('https://x1.example/', 'https://x1.example/#a'),
    'other scheme': line('https://x1.example/', 'ftp://x1.example/'),
    'log key as a witness': line(w[0]!, log1!),
    'witness key as a log': line(log1!, w[5]!),
    'one public key twice': line(w[1]!, w[0]!),
    'one public key under two names': line(w[1]!, aliased),
    'key id of another key': line(w[0]!, formatVkey({ ...key, keyId: '00000000' })),
    'not ASCII outside comments': line('X-and-Y', 'X-und-\u00c4'),
    'control character in a comment': line('another', 'ano\u0001ther'),
  })) {
    t.throws(() => parseTlogPolicy(sha256, bad), { code: 'TLOG_POLICY_INVALID' }, why);
  }
  t.throws(() => parseTlogPolicy(sha256, `${'#\n'.repeat(2000)}quorum none\n`), { code: 'TLOG_POLICY_INVALID' });
  t.throws(() => parseTlogPolicy(sha256, `#${'x'.repeat(200_000)}\nquorum none\n`), { code: 'TLOG_POLICY_INVALID' });
});

t.test('proof files have one spelling', async (t) => {
  const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const proofs = fc.record({
    index: fc.maxSafeNat(),
    hashes: fc.array(hash, { maxLength: 63 }),
    checkpoint: fc.constant('origin\n1\nroot\n\nsignatures\n'),
  });
  fc.assert(
    fc.property(proofs, fc.option(fc.uint8Array(), { nil: undefined }), (proof, extra) => {
      const whole = extra === undefined ? proof : { ...proof, extra };
      const text = formatTlogProof(whole);
      return formatTlogProof(parseTlogProof(text)) === text;
    }),
    { numRuns: 50 },
  );
  const zeros = toBase64(new Uint8Array(32));
  const good = `c2sp.org/tlog-proof@v1\nindex 7\n${zeros}\n\ncheckpoint`;
  t.same(parseTlogProof(good).hashes, [new Uint8Array(32)]);
  t.same(parseTlogProof(good.replace(`${zeros}\n`, '')).hashes, []);
  for (const bad of [
    '',
    good.replace('@v1', '@v2'),
    good.replace('index 7', 'index 07'),
    good.replace('index 7', 'index -7'),
    good.replace('index 7', 'index 9007199254740992'),
    good.replace('index 7', 'index  7'),
    good.replace('index 7', 'index 7 '),
    good.replace('index 7\n', ''),
    good.replace(zeros, zeros.slice(4)),
    good.replace(zeros, `${zeros.slice(0, -2)}B=`),
    good.replace('\n\n', '\n'),
    good.replace('\n\n', '\r\n\r\n'),
    good.replace('index 7', 'extra AA\nindex 7'),
    good.replace('index 7', 'extra AAAA\nextra AAAA\nindex 7'),
    good.replace(`${zeros}\n`, `${zeros}\n`.repeat(64)),
    good.replace(`${zeros}\n`, `${zeros}\n`.repeat(2000)),
  ]) {
    t.throws(() => parseTlogProof(bad), { code: 'TLOG_PROOF_INVALID' }, JSON.stringify(bad.slice(0, 120)));
  }
  const withExtra = good.replace('index 7', 'extra AAAA\nindex 7');
  t.same(parseTlogProof(withExtra).extra, new Uint8Array(3));
  t.throws(() => parseTlogProof(withExtra, { lengthMax: 1000, extra: 'refuse' }), { code: 'TLOG_PROOF_INVALID' });
  t.throws(() => parseTlogProof(good, { lengthMax: 10, extra: 'allow' }), { code: 'TLOG_PROOF_TOO_LARGE' });
});
