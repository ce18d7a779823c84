// Generated from the schemas beside this folder by `npm run types`. Change those, not this.
import schema0 from '../account-record.schema.json' with { type: 'json' };
import schema1 from '../actions/cache.clear.schema.json' with { type: 'json' };
import schema2 from '../actions/config.restore.schema.json' with { type: 'json' };
import schema3 from '../actions/model.deploy.schema.json' with { type: 'json' };
import schema4 from '../actions/model.retire.schema.json' with { type: 'json' };
import schema5 from '../actions/policy.emergency-block.schema.json' with { type: 'json' };
import schema6 from '../actions/process.renice.schema.json' with { type: 'json' };
import schema7 from '../actions/route.close.schema.json' with { type: 'json' };
import schema8 from '../actions/route.open.schema.json' with { type: 'json' };
import schema9 from '../actions/service.isolate.schema.json' with { type: 'json' };
import schema10 from '../actions/service.restart.schema.json' with { type: 'json' };
import schema11 from '../actions/sysctl.set.schema.json' with { type: 'json' };
import schema12 from '../alert-record.schema.json' with { type: 'json' };
import schema13 from '../common.schema.json' with { type: 'json' };
import schema14 from '../config.schema.json' with { type: 'json' };
import schema15 from '../dangerous-intent.schema.json' with { type: 'json' };
import schema16 from '../genesis-template.schema.json' with { type: 'json' };
import schema17 from '../genesis.schema.json' with { type: 'json' };
import schema18 from '../instance-record.schema.json' with { type: 'json' };
import schema19 from '../intent-record.schema.json' with { type: 'json' };
import schema20 from '../model-record.schema.json' with { type: 'json' };
import schema21 from '../nld-packet.schema.json' with { type: 'json' };
import schema22 from '../record/alerts.raised.schema.json' with { type: 'json' };
import schema23 from '../record/alerts.resolved.schema.json' with { type: 'json' };
import schema24 from '../record/block.schema.json' with { type: 'json' };
import schema25 from '../record/epoch.schema.json' with { type: 'json' };
import schema26 from '../record/genesis.schema.json' with { type: 'json' };
import schema27 from '../record/governance.approved.schema.json' with { type: 'json' };
import schema28 from '../record/governance.effective.schema.json' with { type: 'json' };
import schema29 from '../record/governance.evidence.schema.json' with { type: 'json' };
import schema30 from '../record/governance.lapsed.schema.json' with { type: 'json' };
import schema31 from '../record/governance.proposed.schema.json' with { type: 'json' };
import schema32 from '../record/governance.ready.schema.json' with { type: 'json' };
import schema33 from '../record/governance.uploaded.schema.json' with { type: 'json' };
import schema34 from '../record/governance.withdrawn.schema.json' with { type: 'json' };
import schema35 from '../record/identity.assigned.schema.json' with { type: 'json' };
import schema36 from '../record/identity.redeemed.schema.json' with { type: 'json' };
import schema37 from '../record/identity.registered.schema.json' with { type: 'json' };
import schema38 from '../record/identity.resumed.schema.json' with { type: 'json' };
import schema39 from '../record/identity.revoked.schema.json' with { type: 'json' };
import schema40 from '../record/identity.rotated.schema.json' with { type: 'json' };
import schema41 from '../record/identity.suspended.schema.json' with { type: 'json' };
import schema42 from '../record/identity.ticketed.schema.json' with { type: 'json' };
import schema43 from '../record/intents.approved.schema.json' with { type: 'json' };
import schema44 from '../record/intents.cancelled.schema.json' with { type: 'json' };
import schema45 from '../record/intents.consumed.schema.json' with { type: 'json' };
import schema46 from '../record/intents.denied.schema.json' with { type: 'json' };
import schema47 from '../record/intents.granted.schema.json' with { type: 'json' };
import schema48 from '../record/intents.lapsed.schema.json' with { type: 'json' };
import schema49 from '../record/intents.pending.schema.json' with { type: 'json' };
import schema50 from '../record/intents.reported.schema.json' with { type: 'json' };
import schema51 from '../record/models.attested.schema.json' with { type: 'json' };
import schema52 from '../record/models.authorised.schema.json' with { type: 'json' };
import schema53 from '../record/models.registered.schema.json' with { type: 'json' };
import schema54 from '../record/models.related.schema.json' with { type: 'json' };
import schema55 from '../record/models.revoked.schema.json' with { type: 'json' };
import schema56 from '../record/packets.acknowledged.schema.json' with { type: 'json' };
import schema57 from '../record/packets.committed.schema.json' with { type: 'json' };
import schema58 from '../record/packets.mismatched.schema.json' with { type: 'json' };
import schema59 from '../record/routing.published.schema.json' with { type: 'json' };
import schema60 from '../record/routing.restored.schema.json' with { type: 'json' };
import schema61 from '../record/routing.switched.schema.json' with { type: 'json' };
import schema62 from '../record/tx.refused.schema.json' with { type: 'json' };
import schema63 from '../record/tx.schema.json' with { type: 'json' };
import schema64 from '../routing-table.schema.json' with { type: 'json' };
import schema65 from '../rpc.schema.json' with { type: 'json' };
import schema66 from '../state-proof.schema.json' with { type: 'json' };
import schema67 from '../status.schema.json' with { type: 'json' };
import schema68 from '../transaction.schema.json' with { type: 'json' };
import schema69 from '../tx/alerts.raise.schema.json' with { type: 'json' };
import schema70 from '../tx/alerts.resolve.schema.json' with { type: 'json' };
import schema71 from '../tx/governance.approve.schema.json' with { type: 'json' };
import schema72 from '../tx/governance.evidence.schema.json' with { type: 'json' };
import schema73 from '../tx/governance.propose.schema.json' with { type: 'json' };
import schema74 from '../tx/governance.ready.schema.json' with { type: 'json' };
import schema75 from '../tx/governance.text.schema.json' with { type: 'json' };
import schema76 from '../tx/governance.withdraw.schema.json' with { type: 'json' };
import schema77 from '../tx/identity.redeem.schema.json' with { type: 'json' };
import schema78 from '../tx/identity.register.schema.json' with { type: 'json' };
import schema79 from '../tx/identity.resume.schema.json' with { type: 'json' };
import schema80 from '../tx/identity.revoke.schema.json' with { type: 'json' };
import schema81 from '../tx/identity.roles.schema.json' with { type: 'json' };
import schema82 from '../tx/identity.rotate.schema.json' with { type: 'json' };
import schema83 from '../tx/identity.suspend.schema.json' with { type: 'json' };
import schema84 from '../tx/identity.ticket.schema.json' with { type: 'json' };
import schema85 from '../tx/intents.approve.schema.json' with { type: 'json' };
import schema86 from '../tx/intents.cancel.schema.json' with { type: 'json' };
import schema87 from '../tx/intents.consume.schema.json' with { type: 'json' };
import schema88 from '../tx/intents.propose.schema.json' with { type: 'json' };
import schema89 from '../tx/intents.report.schema.json' with { type: 'json' };
import schema90 from '../tx/models.attest.schema.json' with { type: 'json' };
import schema91 from '../tx/models.authorise.schema.json' with { type: 'json' };
import schema92 from '../tx/models.lineage.schema.json' with { type: 'json' };
import schema93 from '../tx/models.register.schema.json' with { type: 'json' };
import schema94 from '../tx/models.revoke.schema.json' with { type: 'json' };
import schema95 from '../tx/packets.acknowledge.schema.json' with { type: 'json' };
import schema96 from '../tx/packets.commit.schema.json' with { type: 'json' };
import schema97 from '../tx/packets.mismatch.schema.json' with { type: 'json' };
import schema98 from '../tx/routing.instance.schema.json' with { type: 'json' };
import schema99 from '../tx/routing.publish.schema.json' with { type: 'json' };
import schema100 from '../tx/routing.rollback.schema.json' with { type: 'json' };
import schema101 from '../walk.schema.json' with { type: 'json' };

/** Name → schema document. */
export const schemaDocuments: ReadonlyMap<string, object> = new Map<string, object>([
  ['account-record', schema0],
  ['actions/cache.clear', schema1],
  ['actions/config.restore', schema2],
  ['actions/model.deploy', schema3],
  ['actions/model.retire', schema4],
  ['actions/policy.emergency-block', schema5],
  ['actions/process.renice', schema6],
  ['actions/route.close', schema7],
  ['actions/route.open', schema8],
  ['actions/service.isolate', schema9],
  ['actions/service.restart', schema10],
  ['actions/sysctl.set', schema11],
  ['alert-record', schema12],
  ['common', schema13],
  ['config', schema14],
  ['dangerous-intent', schema15],
  ['genesis-template', schema16],
  ['genesis', schema17],
  ['instance-record', schema18],
  ['intent-record', schema19],
  ['model-record', schema20],
  ['nld-packet', schema21],
  ['record/alerts.raised', schema22],
  ['record/alerts.resolved', schema23],
  ['record/block', schema24],
  ['record/epoch', schema25],
  ['record/genesis', schema26],
  ['record/governance.approved', schema27],
  ['record/governance.effective', schema28],
  ['record/governance.evidence', schema29],
  ['record/governance.lapsed', schema30],
  ['record/governance.proposed', schema31],
  ['record/governance.ready', schema32],
  ['record/governance.uploaded', schema33],
  ['record/governance.withdrawn', schema34],
  ['record/identity.assigned', schema35],
  ['record/identity.redeemed', schema36],
  ['record/identity.registered', schema37],
  ['record/identity.resumed', schema38],
  ['record/identity.revoked', schema39],
  ['record/identity.rotated', schema40],
  ['record/identity.suspended', schema41],
  ['record/identity.ticketed', schema42],
  ['record/intents.approved', schema43],
  ['record/intents.cancelled', schema44],
  ['record/intents.consumed', schema45],
  ['record/intents.denied', schema46],
  ['record/intents.granted', schema47],
  ['record/intents.lapsed', schema48],
  ['record/intents.pending', schema49],
  ['record/intents.reported', schema50],
  ['record/models.attested', schema51],
  ['record/models.authorised', schema52],
  ['record/models.registered', schema53],
  ['record/models.related', schema54],
  ['record/models.revoked', schema55],
  ['record/packets.acknowledged', schema56],
  ['record/packets.committed', schema57],
  ['record/packets.mismatched', schema58],
  ['record/routing.published', schema59],
  ['record/routing.restored', schema60],
  ['record/routing.switched', schema61],
  ['record/tx.refused', schema62],
  ['record/tx', schema63],
  ['routing-table', schema64],
  ['rpc', schema65],
  ['state-proof', schema66],
  ['status', schema67],
  ['transaction', schema68],
  ['tx/alerts.raise', schema69],
  ['tx/alerts.resolve', schema70],
  ['tx/governance.approve', schema71],
  ['tx/governance.evidence', schema72],
  ['tx/governance.propose', schema73],
  ['tx/governance.ready', schema74],
  ['tx/governance.text', schema75],
  ['tx/governance.withdraw', schema76],
  ['tx/identity.redeem', schema77],
  ['tx/identity.register', schema78],
  ['tx/identity.resume', schema79],
  ['tx/identity.revoke', schema80],
  ['tx/identity.roles', schema81],
  ['tx/identity.rotate', schema82],
  ['tx/identity.suspend', schema83],
  ['tx/identity.ticket', schema84],
  ['tx/intents.approve', schema85],
  ['tx/intents.cancel', schema86],
  ['tx/intents.consume', schema87],
  ['tx/intents.propose', schema88],
  ['tx/intents.report', schema89],
  ['tx/models.attest', schema90],
  ['tx/models.authorise', schema91],
  ['tx/models.lineage', schema92],
  ['tx/models.register', schema93],
  ['tx/models.revoke', schema94],
  ['tx/packets.acknowledge', schema95],
  ['tx/packets.commit', schema96],
  ['tx/packets.mismatch', schema97],
  ['tx/routing.instance', schema98],
  ['tx/routing.publish', schema99],
  ['tx/routing.rollback', schema100],
  ['walk', schema101],
]);
