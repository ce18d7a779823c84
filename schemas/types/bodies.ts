// Generated from the schemas beside this folder by `npm run types`. Change those, not this.
import type { IdentityRedeemBody } from './tx/identity.redeem.ts';
import type { IdentityRegisterBody } from './tx/identity.register.ts';
import type { IdentityResumeBody } from './tx/identity.resume.ts';
import type { IdentityRevokeBody } from './tx/identity.revoke.ts';
import type { IdentityRolesBody } from './tx/identity.roles.ts';
import type { IdentityRotateBody } from './tx/identity.rotate.ts';
import type { IdentitySuspendBody } from './tx/identity.suspend.ts';
import type { IdentityTicketBody } from './tx/identity.ticket.ts';
import type { ModelsAttestBody } from './tx/models.attest.ts';
import type { ModelsAuthoriseBody } from './tx/models.authorise.ts';
import type { ModelsLineageBody } from './tx/models.lineage.ts';
import type { ModelsRegisterBody } from './tx/models.register.ts';
import type { ModelsRevokeBody } from './tx/models.revoke.ts';
import type { PacketsAcknowledgeBody } from './tx/packets.acknowledge.ts';
import type { PacketsCommitBody } from './tx/packets.commit.ts';
import type { PacketsMismatchBody } from './tx/packets.mismatch.ts';
import type { RoutingInstanceBody } from './tx/routing.instance.ts';
import type { RoutingPublishBody } from './tx/routing.publish.ts';
import type { RoutingRollbackBody } from './tx/routing.rollback.ts';

/** Transaction type → its body. */
export type TransactionBodies = {
  'identity.redeem': IdentityRedeemBody;
  'identity.register': IdentityRegisterBody;
  'identity.resume': IdentityResumeBody;
  'identity.revoke': IdentityRevokeBody;
  'identity.roles': IdentityRolesBody;
  'identity.rotate': IdentityRotateBody;
  'identity.suspend': IdentitySuspendBody;
  'identity.ticket': IdentityTicketBody;
  'models.attest': ModelsAttestBody;
  'models.authorise': ModelsAuthoriseBody;
  'models.lineage': ModelsLineageBody;
  'models.register': ModelsRegisterBody;
  'models.revoke': ModelsRevokeBody;
  'packets.acknowledge': PacketsAcknowledgeBody;
  'packets.commit': PacketsCommitBody;
  'packets.mismatch': PacketsMismatchBody;
  'routing.instance': RoutingInstanceBody;
  'routing.publish': RoutingPublishBody;
  'routing.rollback': RoutingRollbackBody;
};
