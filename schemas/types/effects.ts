// Generated from the schemas beside this folder by `npm run types`. Change those, not this.
import type { CacheClearEffect } from './actions/cache.clear.ts';
import type { ConfigRestoreEffect } from './actions/config.restore.ts';
import type { ModelDeployEffect } from './actions/model.deploy.ts';
import type { ModelRetireEffect } from './actions/model.retire.ts';
import type { PolicyEmergencyBlockEffect } from './actions/policy.emergency-block.ts';
import type { ProcessReniceEffect } from './actions/process.renice.ts';
import type { RouteCloseEffect } from './actions/route.close.ts';
import type { RouteOpenEffect } from './actions/route.open.ts';
import type { ServiceIsolateEffect } from './actions/service.isolate.ts';
import type { ServiceRestartEffect } from './actions/service.restart.ts';
import type { SysctlSetEffect } from './actions/sysctl.set.ts';

/** Action of the catalogue → its resolved effect. */
export type ActionEffects = {
  'cache.clear': CacheClearEffect;
  'config.restore': ConfigRestoreEffect;
  'model.deploy': ModelDeployEffect;
  'model.retire': ModelRetireEffect;
  'policy.emergency-block': PolicyEmergencyBlockEffect;
  'process.renice': ProcessReniceEffect;
  'route.close': RouteCloseEffect;
  'route.open': RouteOpenEffect;
  'service.isolate': ServiceIsolateEffect;
  'service.restart': ServiceRestartEffect;
  'sysctl.set': SysctlSetEffect;
};
