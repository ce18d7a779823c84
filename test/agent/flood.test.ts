import t from 'tap';
import { flood } from '../bench/agentFlood.ts';
import { skipWithoutNamespaces } from './bpf/peers.ts';
import { skipUnless } from './bpf/rights.ts';

// How fast, and how long a turn takes, is for test/bench/agentFlood.ts to say: here nothing may be missing from the count.
t.test(
  'of a flood each event is delivered, or counted as limited or lost',
  { skip: skipUnless('gate') || skipWithoutNamespaces(), timeout: 180_000 },
  async (t) => {
    const [limited, unlimited] = await flood({ seconds: 0, events: 400_000, repeat: 20_000 });
    for (const found of [limited, unlimited]) {
      if (found === undefined) throw new Error('two floods were asked for');
      const { offered, limitedInKernel, lost, limited, delivered } = found;
      t.equal(offered, 400_000, found.limits);
      t.equal(limitedInKernel + lost + limited + delivered, offered);
      t.ok(delivered > 0 && limited > 0);
      t.ok(found.rssPeakBytes < 512 * 2 ** 20, 'within what the service file allows');
    }
    t.ok((limited?.limitedInKernel ?? 0) > 300_000, 'by default most of it never leaves the kernel');
    t.ok((unlimited?.lost ?? 0) > 0, 'without that the ring is full');
  },
);
