import t from 'tap';
import { routeOf } from '../../contracts/routing/route.ts';
import { tableDigest } from '../../contracts/routing/table.ts';
import type { RoutingRule, RoutingTable } from '../../schemas/types/routing-table.ts';
import { validate } from '../../schemas/validators.ts';
import { Network } from './network.ts';
import { endpoint, rule, table, withInstances } from './routing.samples.ts';

t.test('instance up and down', async (t) => {
  const network = new Network();
  const send = (body: object) =>
    network.send('oracle.weave', 'routing.instance', {
      instance: 'oracle.weave',
      state: 'up',
      endpoint,
      model: null,
      ...body,
    });
  t.equal(send({ instance: 'nobody' }).refused, 'ACCOUNT_UNKNOWN');
  t.equal(send({ endpoint: null }).refused, 'INSTANCE_FORM', 'up is somewhere');
  t.equal(send({ state: 'down' }).refused, 'INSTANCE_FORM', 'down is nowhere');
  t.equal(send({ state: 'down', endpoint: null }).refused, 'INSTANCE_NOT_UP');
  t.equal(send({ model: 'misty-7b' }).refused, 'MODEL_NOT_AUTHORISED');
  const up = send({});
  t.equal(validate('record/routing.switched', up.records[0]), undefined);
  t.equal(validate('instance-record', network.state.get('routing/instance/oracle.weave')), undefined);
  t.equal(send({ endpoint: { ...endpoint, url: 'https://elsewhere.example.net' } }).refused, undefined, 'it may move');
  const down = send({ state: 'down', endpoint: null });
  t.equal(validate('record/routing.switched', down.records[0]), undefined);
  t.match(network.state.get('routing/instance/oracle.weave'), { state: 'down', endpoint: null });
});

t.test('publish: versions only grow, each put in force whole', async (t) => {
  const network = withInstances('oracle.weave');
  const first = table([rule('r1', 'role:agent', 'oracle.weave')]);
  const publish = (replaces: number, body: RoutingTable) =>
    network.send('admin', 'routing.publish', { replaces, table: body });
  t.equal(publish(1, first).refused, 'TABLE_VERSION');
  const done = publish(0, first);
  t.equal(validate('record/routing.published', done.records[0]), undefined);
  t.match(done.records[0], { version: 1, replaces: 0, rules: 1, digest: tableDigest(first) });
  t.equal(publish(0, first).refused, 'TABLE_VERSION', 'somebody was faster');
  t.equal(publish(1, table([rule('all', '*', '*')])).refused, undefined);
  t.match(network.state.get('routing/table/current'), { version: 2, table: { rules: [{ id: 'all' }] } });
  t.match(network.state.get('routing/table/1'), { version: 1, table: { rules: [{ id: 'r1' }] } });

  const rollback = (replaces: number, to: number) => network.send('admin', 'routing.rollback', { replaces, to });
  t.equal(rollback(1, 1).refused, 'TABLE_VERSION');
  t.equal(rollback(2, 2).refused, 'TABLE_UNKNOWN', 'it is in force already');
  t.equal(rollback(2, 9).refused, 'TABLE_UNKNOWN');
  const back = rollback(2, 1);
  t.equal(validate('record/routing.restored', back.records[0]), undefined);
  t.match(back.records[0], { version: 3, replaces: 2, restores: 1, digest: tableDigest(first) });
  t.match(network.state.get('routing/table/current'), { version: 3, table: { rules: [{ id: 'r1' }] } });
  t.equal(new Network().send('admin', 'routing.rollback', { replaces: 1, to: 1 }).refused, 'TABLE_VERSION');
});

t.test('tables that would say two things, or nothing, are refused', async (t) => {
  const network = withInstances('oracle.weave', 'misty.weave');
  const code = (rules: RoutingRule[], aliases: { name: string; to: string }[] = []) =>
    network.send('admin', 'routing.publish', { replaces: 0, table: table(rules, aliases) }).refused;
  const good = rule('r1', 'misty.weave', 'oracle.weave');
  const oracle = { name: 'oracle', to: 'oracle.weave' };

  t.equal(code([good, rule('r1', '*', '*')]), 'TABLE_SYNTAX', 'one id twice');
  t.equal(code([good], [oracle, { name: 'alias', to: 'oracle.weave' }]), 'TABLE_SYNTAX', 'aliases out of order');
  t.equal(code([good], [oracle, oracle]), 'TABLE_SYNTAX', 'alias twice');
  t.equal(code([rule('r1', '*', 'oracle.weave', 'deny', 'misty.weave')]), 'TABLE_SYNTAX', 'a denial leads nowhere');

  t.equal(code([rule('r1', '*', 'nobody')]), 'TABLE_TARGET_UNKNOWN');
  t.equal(code([rule('r1', 'nobody', '*')]), 'TABLE_TARGET_UNKNOWN');
  t.equal(
    code([rule('r1', '*', 'misty.weave', 'allow', 'femto')]),
    'TABLE_TARGET_UNKNOWN',
    'an account that is no instance',
  );
  t.equal(code([good], [{ name: 'oracle', to: 'femto' }]), 'TABLE_TARGET_UNKNOWN');
  t.equal(code([rule('r1', '*', 'oracle')], [oracle]), 'TABLE_TARGET_UNKNOWN', 'rules see what an alias stands for');
  t.equal(code([good], [{ name: 'femto', to: 'oracle.weave' }]), 'TABLE_ALIAS_TAKEN');

  t.equal(code([good, rule('r2', 'misty.weave', 'oracle.weave', 'deny')]), 'TABLE_CONFLICT');
  t.equal(code([good, rule('r2', 'misty.weave', 'oracle.weave', 'allow', 'misty.weave')]), 'TABLE_CONFLICT');
  t.equal(code([good, rule('r2', 'misty.weave', 'oracle.weave')]), 'TABLE_UNREACHABLE');
  t.equal(
    code([rule('r1', '*', 'oracle.weave'), rule('r2', 'misty.weave', 'oracle.weave', 'deny')]),
    'TABLE_UNREACHABLE',
  );
  t.equal(code([rule('r1', 'role:agent', '*'), rule('r2', 'role:agent', 'role:agent')]), 'TABLE_UNREACHABLE');
  t.equal(code([rule('r1', '*', '*'), rule('r2', '*', '*', 'deny')]), 'TABLE_CONFLICT');

  t.equal(
    code(
      [good],
      [
        { name: 'a', to: 'b' },
        { name: 'b', to: 'a' },
      ],
    ),
    'TABLE_LOOP',
  );
  t.equal(code([good], [{ name: 'a', to: 'a' }]), 'TABLE_LOOP');
  t.equal(
    code([
      rule('r1', '*', 'oracle.weave', 'allow', 'misty.weave'),
      rule('r2', '*', 'misty.weave', 'allow', 'oracle.weave'),
    ]),
    'TABLE_LOOP',
  );
  t.equal(
    code([
      rule('r1', 'role:agent', 'oracle.weave', 'allow', 'misty.weave'),
      rule('r2', '*', 'role:agent', 'allow', 'oracle.weave'),
    ]),
    'TABLE_LOOP',
    'through a role',
  );
  t.equal(
    code(
      [rule('r1', '*', 'oracle.weave', 'allow', 'there'), rule('r2', '*', 'misty.weave', 'allow', 'oracle.weave')],
      [{ name: 'there', to: 'misty.weave' }],
    ),
    'TABLE_LOOP',
    'through an alias',
  );
  t.equal(network.state.has('routing/table/current'), false);

  t.equal(
    code(
      [
        rule('r0', 'misty.weave', '*', 'deny'),
        rule('r1', 'role:agent', 'oracle.weave'),
        rule('r2', '*', '*', 'allow', 'oracle'),
      ],
      [oracle],
    ),
    undefined,
    'all packets to one hub are no loop, also under another name of it',
  );
});

t.test('the first rule that matches decides', async (t) => {
  const network = withInstances('oracle.weave', 'misty.weave');
  const state = network.reader();
  const rules = table(
    [
      rule('quarantine', 'femto', '*', 'deny'),
      rule('questions', 'role:agent', 'oracle.weave'),
      rule('rest', '*', 'role:agent', 'allow', 'hub'),
    ],
    [{ name: 'hub', to: 'oracle.weave' }],
  );
  const route = (source: string, target: string) => routeOf(state, rules, source, target);
  t.strictSame(route('femto', 'oracle.weave'), { rule: 'quarantine', outcome: 'deny', destination: 'oracle.weave' });
  t.strictSame(route('misty.weave', 'hub'), { rule: 'questions', outcome: 'allow', destination: 'oracle.weave' });
  t.strictSame(route('scanner', 'misty.weave'), { rule: 'rest', outcome: 'allow', destination: 'oracle.weave' });
  t.strictSame(route('scanner', 'router-prime'), { rule: undefined, outcome: 'deny', destination: 'router-prime' });
  t.strictSame(
    routeOf(state, table([rule('r', '*', '*')], [{ name: 'misty.weave', to: 'oracle.weave' }]), 'femto', 'misty.weave')
      .destination,
    'misty.weave',
    'an account that is younger than an alias keeps its name',
  );
});
