import t from 'tap';
import { abiValues, Struct } from '../../../src/agent/bpf/struct.ts';

t.test('fields lie where the compiler put them', async (t) => {
  const grant = new Struct('weft_grant');
  const [expires, token] = [grant.u64('expires_ns'), grant.bytes('token', 32)];
  const bytes = Buffer.alloc(grant.size + 8, 0xee);
  expires.write(bytes, 8, 0x0102030405060708n);
  token.write(bytes, 8, Buffer.alloc(32, 7));
  t.equal(expires.read(bytes, 8), 0x0102030405060708n);
  t.same(token.read(bytes, 8), Buffer.alloc(32, 7));
  t.equal(bytes.readUInt8(7), 0xee, 'nothing before it');
  t.equal(grant.size, 56);
  t.equal(abiValues.weft_mode.WEFT_MODE_OFF, 0, 'a zeroed map is a gate that is off');
});

t.test('a field of another size is a defect that shows at once', async (t) => {
  const grant = new Struct('weft_grant');
  t.throws(() => grant.u32('expires_ns'), { code: 'BPF_ABI' });
  t.throws(() => grant.bytes('token', 16), { code: 'BPF_ABI' });
  t.throws(() => grant.u8('absent' as 'token'), { code: 'BPF_ABI' });
  t.throws(() => grant.bytes('token', 32).write(grant.alloc(), 0, Buffer.alloc(31)), { code: 'BPF_ABI' });
});
