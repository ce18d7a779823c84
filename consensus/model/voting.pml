/* The voting rules of consensus/ for n = 4, one of them lying, over three views: every interleaving (see README.md).

   What is abstracted, and why nothing is lost by it:
   - No messages. A vote that was released stays available to everybody for ever, and a certificate exists as soon as enough
     votes do: the network may show it to anybody at any time, or never. Nothing below asks that something be *unknown*, so
     "everybody may act on whatever exists" contains every schedule, loss, delay and partition.
   - No votes of the liar. It has sent every vote to everybody: a certificate needs QUORUM - LIARS honest votes.
   - No leaders. Anybody may have proposed anything in any view (the liar may lead), so two blocks a view, A and B. A is
     the one that an honest validator votes for first. A third one gets at most one honest vote, hence no certificate.
   - No current view, no timers: validators vote in any view, in any order. Only what safety rests on is a guard. */

#ifndef VIEWS
#define VIEWS 3
#endif
#ifndef LIARS
#define LIARS 1
#endif
#ifndef QUORUM
#define QUORUM 3 /* W2: n - floor((n - 1) / 3) */
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#define HONEST (4 - LIARS)
#define BLOCKS (2 * VIEWS)

/* Blocks are numbered 0, 1 (view 1), 2, 3 (view 2), 4, 5 (view 3); even ones are A. */
#define VIEW(b) ((b) / 2 + 1)

/* The votes of a validator: five bits a view. */
#define NOTARIZE(b) (1 << (5 * ((b) / 2) + (b) % 2))
#define OTHER(b)    (1 << (5 * ((b) / 2) + 1 - (b) % 2))
#define NULLIFY(v)  (1 << (5 * ((v) - 1) + 2))
#define FINALIZE(b) (1 << (5 * ((b) / 2) + 3 + (b) % 2))

short released[HONEST]; /* votes that left: they count, for ever */
short known;            /* validator 0: the votes that it knows it cast; what was released is durable (W1) */
#ifdef RELEASE_BEFORE_SYNC
short disk;             /* validator 0: the votes that are durable */
#endif
byte chain[BLOCKS];     /* the block and its ancestors, as a set of blocks; 0: not proposed */

/* What validator i goes by when it decides. Only validator 0 may crash: one is enough, together with the liar. */
#if CRASHES
#define OWN(i) (i == 0 -> known : released[i])
#else
#define OWN(i) released[i]
#endif

#if LIARS == 1
#define VOTES(bits) (((released[0] & (bits)) != 0) + ((released[1] & (bits)) != 0) + ((released[2] & (bits)) != 0))
#else
#define VOTES(bits) (((released[0] & (bits)) != 0) + ((released[1] & (bits)) != 0))
#endif

/* S3: a certificate is QUORUM votes of different validators, of one kind, on one subject. */
#define CERTIFIED(bits) (VOTES(bits) + LIARS >= QUORUM)
#ifdef VOTES_OF_ANY_BLOCK
#define NOTARIZED(b) CERTIFIED(NOTARIZE(b) | OTHER(b))
#else
#define NOTARIZED(b) CERTIFIED(NOTARIZE(b))
#endif
#define NULLIFIED(v) CERTIFIED(NULLIFY(v))
#define FINALIZED(b) CERTIFIED(FINALIZE(b))

/* S5: once a view, not after nullify. */
#ifdef NOTARIZE_TWICE
#define NOTARIZE_ONCE(i, b) true
#else
#define NOTARIZE_ONCE(i, b) (!(OWN(i) & OTHER(b)))
#endif
#ifdef NOTARIZE_AFTER_NULLIFY
#define NOTARIZE_FIRST(i, v) true
#else
#define NOTARIZE_FIRST(i, v) (!(OWN(i) & NULLIFY(v)))
#endif

/* S6: not after finalize. */
#ifdef NULLIFY_AFTER_FINALIZE
#define MAY_NULLIFY(i, v) true
#else
#define MAY_NULLIFY(i, v) (!(OWN(i) & (FINALIZE(2 * (v) - 2) | FINALIZE(2 * (v) - 1))))
#endif

/* S7: not after nullify; only what is notarized. "Once" follows, see FINALIZE_TWICE. */
#ifdef FINALIZE_AFTER_NULLIFY
#define NOT_NULLIFIED_BY(i, v) true
#else
#define NOT_NULLIFIED_BY(i, v) (!(OWN(i) & NULLIFY(v)))
#endif
#ifdef FINALIZE_UNNOTARIZED
#define MAY_BE_FINAL(b) (chain[b] != 0)
#else
#define MAY_BE_FINAL(b) NOTARIZED(b)
#endif
#ifdef FINALIZE_TWICE
#define FINALIZE_ONCE(i, b) true
#else
#define FINALIZE_ONCE(i, b) (!(OWN(i) & (FINALIZE(b) | FINALIZE((b) ^ 1))))
#endif

/* S4: the parent is notarized, every view between holds a nullification. */
#ifdef PARENT_UNNOTARIZED
#define PARENT_HOLDS(p) (chain[p] != 0)
#else
#define PARENT_HOLDS(p) NOTARIZED(p)
#endif
#ifdef GAP_OPEN
#define CLOSED(v) true
#else
#define CLOSED(v) NULLIFIED(v)
#endif
#define GAP_CLOSED(from, to) ((!(from < 1 && 1 < to) || CLOSED(1)) && (!(from < 2 && 2 < to) || CLOSED(2)))

short i; /* 0 between steps */
byte j;

inline properties() {
  /* No view is both nullified and finalized. */
  i = 1;
  do
  :: i <= VIEWS -> assert(!(NULLIFIED(i) && (FINALIZED(2 * i - 2) || FINALIZED(2 * i - 1)))); i++
  :: else -> break
  od;
  /* Agreement: of two final blocks one descends from the other. */
  i = 0;
  do
  :: i < BLOCKS && FINALIZED(i) ->
     j = 0;
     do
     :: j < i -> assert(!FINALIZED(j) || (chain[i] & (1 << j)) != 0); j++
     :: else -> break
     od;
     i++
  :: i < BLOCKS && !FINALIZED(i) -> i++
  :: else -> break
  od;
  /* No properties, but what has to be reached, so that the ones above say something. */
#if REACH == 1
  assert(!(FINALIZED(0) && FINALIZED(2) && FINALIZED(4) && chain[4] == (1 | 4 | 16)));
#elif REACH == 2
  assert(!(NOTARIZED(0) && NULLIFIED(1) && NULLIFIED(2) && FINALIZED(4) && chain[4] == 16));
#elif REACH == 3
  assert(!(NOTARIZED(0) && NULLIFIED(1) && FINALIZED(2) && chain[2] == (1 | 4)));
#endif
  i = 0; j = 0
}

#define ORDER(a, b) \
  if :: released[a] < released[b] -> i = released[a]; released[a] = released[b]; released[b] = i :: else fi

/* The other block of view v becomes A: in all votes, and wherever a block descends from one of the two. */
#define LETTERS(v) (NOTARIZE(2 * v - 2) | FINALIZE(2 * v - 2))
#define SWAPPED(set, letters) ((set) & ~((letters) | (letters) << 1) | ((set) & (letters)) << 1 | ((set) >> 1) & (letters))
#define NAME(v) \
  if \
  :: VOTES(NOTARIZE(2 * v - 2)) < VOTES(NOTARIZE(2 * v - 1)) -> \
     i = 0; do :: i < HONEST -> released[i] = SWAPPED(released[i], LETTERS(v)); i++ :: else -> break od; \
     i = 0; do :: i < BLOCKS -> chain[i] = SWAPPED(chain[i], 1 << (2 * v - 2)); i++ :: else -> break od; \
     i = chain[2 * v - 2]; chain[2 * v - 2] = chain[2 * v - 1]; chain[2 * v - 1] = i \
  :: else \
  fi

/* What says nothing is made to look alike: which of two blocks is called A, in which order validators stand. Not with
   crashes: validator 0 differs from the others then, and knows votes that are not released. */
inline settle() {
#ifndef PLAIN
#if CRASHES == 0
  NAME(1); NAME(2);
#if VIEWS == 3
  NAME(3);
#endif
  ORDER(0, 1);
#if LIARS == 1
  ORDER(1, 2); ORDER(0, 1);
#endif
#elif LIARS == 1
  ORDER(1, 2);
#endif
#endif
  properties()
}

#if CRASHES == 0
#define CAST(v, vote) released[v] = released[v] | (vote)
#else
#if defined(RELEASE_BEFORE_SYNC) || defined(FORGETS)
#define RELEASE(vote) released[0] = released[0] | (vote)
#else
#define RELEASE(vote) skip
#endif
/* Validator 0 keeps its vote back until it is durable (`sync`). The others do not crash: theirs may leave at once. */
#define CAST(v, vote) if :: v == 0 -> known = known | (vote); RELEASE(vote) :: else -> released[v] = released[v] | (vote) fi
#endif

/* A block's first honest vote says what it stands on: the genesis block or one of an earlier view. Later voters find the same, for
   what S4 asks for never ceases to hold. A comes first: which of two blocks is called A says nothing. */
#define FOLLOWS(b, p) (PARENT_HOLDS(p) && GAP_CLOSED(VIEW(p), VIEW(b)))
#define MAY_NOTARIZE(v, b) (!(OWN(v) & NOTARIZE(b)) && NOTARIZE_ONCE(v, b) && NOTARIZE_FIRST(v, VIEW(b)))
#define NEW(b) (chain[b] == 0 && (b % 2 == 0 || chain[b - b % 2] != 0))
#define ON_GENESIS(v, b) \
  :: d_step { MAY_NOTARIZE(v, b) && NEW(b) && GAP_CLOSED(0, VIEW(b)) -> \
       chain[b] = 1 << b; CAST(v, NOTARIZE(b)); printf("  %d: notarize block %d\n", v, b); printf("     on genesis\n") }
#define ON(v, b, p) \
  :: d_step { MAY_NOTARIZE(v, b) && NEW(b) && FOLLOWS(b, p) -> \
       chain[b] = chain[p] | (1 << b); CAST(v, NOTARIZE(b)); printf("  %d: notarize block %d\n", v, b); printf("    on block %d\n", p) }
#define ON_OTHERS(v, b) \
  :: d_step { MAY_NOTARIZE(v, b) && chain[b] != 0 -> CAST(v, NOTARIZE(b)); printf("  %d: notarize block %d\n", v, b) }
#define NULLIFIES(v, view) \
  :: d_step { !(OWN(v) & NULLIFY(view)) && MAY_NULLIFY(v, view) -> CAST(v, NULLIFY(view)); printf("  %d: nullify view %d\n", v, view) }
#define FINALIZES(v, b) \
  :: d_step { !(OWN(v) & FINALIZE(b)) && FINALIZE_ONCE(v, b) && NOT_NULLIFIED_BY(v, VIEW(b)) && MAY_BE_FINAL(b) -> \
       CAST(v, FINALIZE(b)); printf("  %d: finalize block %d\n", v, b) }

#define BLOCK(v, b) ON_GENESIS(v, b) ON_OTHERS(v, b) FINALIZES(v, b)
#define VIEW1(v) BLOCK(v, 0) BLOCK(v, 1) NULLIFIES(v, 1)
#define VIEW2(v) BLOCK(v, 2) BLOCK(v, 3) NULLIFIES(v, 2) ON(v, 2, 0) ON(v, 2, 1) ON(v, 3, 0) ON(v, 3, 1)
#define VIEW3(v) BLOCK(v, 4) BLOCK(v, 5) NULLIFIES(v, 3) \
  ON(v, 4, 0) ON(v, 4, 1) ON(v, 4, 2) ON(v, 4, 3) ON(v, 5, 0) ON(v, 5, 1) ON(v, 5, 2) ON(v, 5, 3)
#if VIEWS == 3
#define MOVES(v) VIEW1(v) VIEW2(v) VIEW3(v)
#else
#define MOVES(v) VIEW1(v) VIEW2(v)
#endif

#if CRASHES
#ifdef RELEASE_BEFORE_SYNC
#define DURABLE disk
#define SYNC disk = known
#else
#define DURABLE released[0]
#define SYNC released[0] = known /* W1: what is durable leaves */
#endif
#ifdef FORGETS
#define RESTART known = 0
#else
#define RESTART known = DURABLE
#endif
#define CRASH \
  :: d_step { known != DURABLE -> SYNC; printf("  0: sync\n") } \
  :: d_step { known != 0 -> RESTART; printf("  0: crash\n") }
#else
#define CRASH
#endif

active proctype network() {
end:
  do
  :: atomic {
       if
       MOVES(0)
       MOVES(1)
#if LIARS == 1
       MOVES(2)
#endif
       CRASH
       fi;
       d_step { settle() }
     }
  od
}
