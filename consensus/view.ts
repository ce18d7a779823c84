// What is known of one view: the leader's proposal, own votes (each signed at most once), the three certificates.
import { createTally, type Tally } from './tally.ts';
import type {
  Finalization,
  FinalizeVote,
  Notarization,
  NotarizeVote,
  Nullification,
  NullifyVote,
  ValidatorIndex,
} from './types.ts';

/**
 * The leader's proposal here. `equivocated`: its leader signed two; we neither notarize nor finalize in this view.
 * `invalid`: refused by structure, ancestry or W4.
 */
export type Slot = 'empty' | 'unverified' | 'verifying' | 'verified' | 'invalid' | 'equivocated';

/** Why the own nullify was sent; the first reason stays. Only 'leader', 'certification' and 'leaderLate' are held against the leader (W3). */
export type NullifyReason =
  | 'leader'
  | 'certification'
  | 'skipped'
  | 'silent'
  | 'joined'
  | 'leaderNullified'
  | 'leaderLate'
  | 'invalid'
  | 'declined';

export type ViewRecord = {
  readonly view: number;
  readonly leader: ValidatorIndex;
  slot: Slot;
  /** The leader's first notarize vote: the proposal. */
  proposal: NotarizeVote | undefined;
  /** The slot's verdict is pending until this wall time. */
  verifyAtWallMs: number | undefined;
  buildAsked: boolean;
  /** The build asked for may be empty: then "nothing" is a refusal to lead. */
  buildMayBeEmpty: boolean;
  ownNotarize: NotarizeVote | undefined;
  ownNullify: NullifyVote | undefined;
  ownFinalize: FinalizeVote | undefined;
  nullifyReason: NullifyReason | undefined;
  /** W3: this turn was already counted against its leader. */
  turnCounted: boolean;
  notarization: Notarization | undefined;
  nullification: Nullification | undefined;
  finalization: Finalization | undefined;
  certification: 'none' | 'asked' | 'valid' | 'invalid';
  certifyAtWallMs: number | undefined;
  readonly tally: Tally;
  /** Offences already reported, as "signer offence" (W12). */
  reported: Set<string> | undefined;
};

export function createView(view: number, leader: ValidatorIndex): ViewRecord {
  return {
    view,
    leader,
    slot: 'empty',
    proposal: undefined,
    verifyAtWallMs: undefined,
    buildAsked: false,
    buildMayBeEmpty: false,
    ownNotarize: undefined,
    ownNullify: undefined,
    ownFinalize: undefined,
    nullifyReason: undefined,
    turnCounted: false,
    notarization: undefined,
    nullification: undefined,
    finalization: undefined,
    certification: 'none',
    certifyAtWallMs: undefined,
    tally: createTally(),
    reported: undefined,
  };
}
