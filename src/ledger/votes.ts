// Votes stand in contracts/, where evidence about them is judged; the ledger and the node take them from here.
export {
  decodeVote,
  encodeVote,
  kindNumber,
  kindOf,
  readSubject,
  subjectCbor,
  verifyVote,
  voteBytes,
  voteBytesMax,
} from '../../contracts/governance/votes.ts';
