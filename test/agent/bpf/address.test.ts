import fc from 'fast-check';
import t from 'tap';
import { formatAddress, parsePrefix } from '../../../src/agent/bpf/address.ts';

t.test('IPv4 lies behind ::ffff, and so do its prefix lengths', async (t) => {
  const host = parsePrefix('10.1.2.3');
  t.equal(host.address.toString('hex'), '00000000000000000000ffff0a010203');
  t.same([host.family, host.bits], ['ipv4', 128]);
  t.equal(parsePrefix('10.0.0.0/8').bits, 104);
  t.same([parsePrefix('0.0.0.0/0').family, parsePrefix('0.0.0.0/0').bits], ['ipv4', 96]);
  t.same([parsePrefix('::/0').family, parsePrefix('::/0').bits], ['ipv6', 0]);
  t.equal(parsePrefix('2001:db8::/32').address.toString('hex'), `20010db8${'0'.repeat(24)}`);
});

t.test('RFC 5952', async (t) => {
  for (const text of ['::', '::1', '1::', '2001:db8::1', '2001:db8:0:1:1:1:1:1', '2001:0:0:1::1', '10.0.0.255'])
    t.equal(formatAddress(parsePrefix(text).address), text);
  t.equal(formatAddress(parsePrefix('2001:DB8:0:0:1:0:0:1').address), '2001:db8::1:0:0:1', 'the first of equal runs');
  t.equal(formatAddress(parsePrefix('64:ff9b::1.2.3.4').address), '64:ff9b::102:304');
});

t.test('every address reads back as itself', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      const address = Buffer.from(bytes);
      return parsePrefix(formatAddress(address)).address.equals(address);
    }),
  );
  fc.assert(fc.property(fc.ipV4(), (text) => formatAddress(parsePrefix(text).address) === text));
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      fc.pre(!/::ffff:/i.test(text));
      const { address } = parsePrefix(text);
      return parsePrefix(formatAddress(address)).address.equals(address);
    }),
  );
});

t.test('what is no CIDR, or not one that means what it says', async (t) => {
  const wrong = [
    '',
    '10.0.0',
    '10.0.0.1/33',
    '10.0.0.1/8',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    '::1/64',
    '::1/129',
    'fe80::1%eth0',
  ];
  for (const text of [...wrong, '::ffff:10.0.0.1', '10.0.0.0/-1', '10.0.0.0/', 'localhost', `${'1'.repeat(10_000)}`])
    t.throws(() => parsePrefix(text), { code: 'BPF_ADDRESS' }, text.slice(0, 40));
});
