/*
 * core/queue's chain of rings as implemented (chain.c), with what rules it: the limits with reservations (limit.c) and
 * the shutdown (queue.c, discard.c). What is inside a ring, blocks, holds and sleeping are in queue.pml; here who waits
 * is woken by any change. One statement here is one shared access there; what is written out of sight is one d_step.
 * Anybody may be killed before any statement (`unless`), also inside the recovery.
 *
 * run: -DNP=1 -DNC=1 -DM=3 -DCRASHES=2
 * run: -DNP=2 -DNC=1 -DM=2 -DCRASHES=0
 * run: -DNP=2 -DNC=1 -DM=1 -DCRASHES=1 -DLIMIT=1 -DSHUT=0
 * run: -DNP=1 -DNC=1 -DM=2 -DCRASHES=1 -DSHUT=1
 * run: -DNP=1 -DNC=1 -DM=2 -DCRASHES=1 -DSHUT=2
 * fault: -DNP=2 -DNC=1 -DM=2 -DVICTIM=1 -DTAIL_RING_FIRST
 * fault: -DNP=2 -DNC=1 -DM=2 -DVICTIM=1 -DRETIRE_EARLY
 * fault: -DNP=1 -DNC=1 -DM=3 -DDRAIN_EARLY
 * fault: -DNP=2 -DNC=1 -DM=2 -DVICTIM=1 -DNO_FOLLOW
 * fault: -DNP=1 -DNC=1 -DM=3 -DTAKE_LATE
 * fault: -DNP=1 -DNC=1 -DM=4 -DSPARE_LATE
 * fault: -DNP=2 -DNC=1 -DM=1 -DLIMIT=1 -DSHUT=0 -DNO_PUT_RIGHT
 * fault: -DNP=2 -DNC=1 -DM=1 -DLIMIT=1 -DSHUT=0 -DNO_UNRESERVE
 * fault: -DNP=1 -DNC=1 -DM=2 -DCRASHES=0 -DSHUT=1 -DSHUT_UNLOCKED
 */
#ifndef NP
#define NP 1 /* producers */
#endif
#ifndef NC
#define NC 1 /* consumers */
#endif
#ifndef M
#define M 3 /* messages of the first producer */
#endif
#ifndef OTHERS
#define OTHERS 1 /* messages of each other */
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef LIMIT
#define LIMIT 0 /* items; 0: none */
#endif
#ifndef RESERVE
#define RESERVE (LIMIT > 0) /* producers may reserve first: it matters where there are limits */
#endif
#ifndef SHUT
#define SHUT 0 /* 1: shut down to be drained, 2: at once */
#endif
#define RINGS 3
#define ROOM 1 /* records that a ring holds: each message but the first may grow the chain */
#define MESSAGES (NP * M)
#define SHUTTER (NP + NC + 1)
#define PROCESSES (NP + NC + 2) /* 0: nobody */

/* A ring's block: the allocator's state word. */
#define FREE 0
#define TOKEN 1
#define OBJECT 2
byte kind[RINGS], owner[RINGS];
/* Positions count messages since the queue was made, as the sequence in a position does. */
byte tail[RINGS], head[RINGS], record[RINGS], next[RINGS]; /* next: ring + 1 */

/* The queue's words; rings as ring + 1. */
byte head_ring = 1, tail_ring = 1, spare;
byte shut;
byte producers, consumers, registry;
/* Reservations: a flag in each producer's block is the truth. */
bool reserving, flagged[PROCESSES];
byte reserved;

/* Ghosts. */
bool dead[PROCESSES], buried[PROCESSES], over[PROCESSES];
byte crashes, slices[PROCESSES];
bool committed[MESSAGES];
byte gone[MESSAGES]; /* how often consumed or discarded */
byte latest[PROCESSES]; /* last message of each producer that was taken, + 1 */

/* ---- locks --------------------------------------------------------------------------------------------------------- */

inline lock(word)
{
    if
    :: d_step { word == 0 || dead[word] -> word = me }
    fi
}

/* ---- limits -------------------------------------------------------------------------------------------------------- */

/* yoke__queue_head_sequence(): without the consumers' lock. */
inline look_at_head()
{
    do
    :: at = head_ring;
       seen = head[at - 1];
       if
       :: at == head_ring -> break
       :: else
       fi
    od
}

inline put_right()
{
#ifndef NO_PUT_RIGHT
    if
    :: reserving ->
       reserved = 0;
       n = 1;
       do
       :: n <= NP -> if :: flagged[n] -> reserved++ :: else fi; n++
       :: else -> break
       od;
       n = 0;
       reserving = false
    :: else
    fi
#else
    skip
#endif
}

inline change(whose, flag, by)
{
    put_right();
    reserving = true;
    flagged[whose] = flag;
    reserved = reserved + by;
    reserving = false
}

/* Producers' lock held, r is the last ring. */
inline look_at_limit()
{
    put_right();
    look_at_head();
    at_limit = LIMIT > 0 && tail[r - 1] - seen + reserved >= LIMIT
}

/* ---- recovery ------------------------------------------------------------------------------------------------------ */

/* Both locks held: is ring n in the chain, or spare? */
inline is_linked(n)
{
    d_step {
        linked = spare == n + 1;
        at = head_ring;
        do
        :: at != 0 -> linked = linked || at == n + 1; at = next[at - 1]
        :: else -> break
        od;
        at = 0
    }
}

inline recover()
{
    lock(registry);
    d = 1;
    do
    :: d < PROCESSES && dead[d] && !buried[d] ->
       n = 0;
       do
       :: n < RINGS && kind[n] == TOKEN && owner[n] == d ->
          lock(producers);
          lock(consumers);
          is_linked(n);
          consumers = 0;
          producers = 0;
          d_step { /* by the dead one's token, or not at all */
              if
              :: kind[n] == TOKEN && owner[n] == d -> kind[n] = (linked -> OBJECT : FREE); owner[n] = 0
              :: else
              fi;
              linked = false
          }
       :: n < RINGS && !(kind[n] == TOKEN && owner[n] == d) -> n++
       :: n == RINGS -> break
       od;
       n = 0;
#ifndef NO_UNRESERVE
       if
       :: flagged[d] -> lock(producers); change(d, false, -1); producers = 0
       :: else
       fi;
#endif
       buried[d] = true;
       d++
    :: d < PROCESSES && !(dead[d] && !buried[d]) -> d++
    :: d == PROCESSES -> break
    od;
    d = 0;
    registry = 0
}

#define SLICE (slices[me] < crashes)

/* ---- a producer ---------------------------------------------------------------------------------------------------- */

inline follow()
{
    r = tail_ring;
#ifndef NO_FOLLOW
    do
    :: assert(kind[r - 1] != FREE);
       if
       :: next[r - 1] != 0 -> r = next[r - 1]
       :: else -> break
       fi
    od;
    if
    :: tail_ring != r -> tail_ring = r
    :: else
    fi
#endif
}

/* Out of sight until it is linked. */
inline start_ring(s)
{
    d_step { head[s - 1] = tail[r - 1]; tail[s - 1] = tail[r - 1]; next[s - 1] = 0 }
}

/* r is full: s becomes a ring of ours, spare or new; 0: no memory. */
inline get_ring()
{
    s = spare;
    if
    :: s != 0 ->
#ifdef SPARE_LATE
       spare = 0;
       d_step { kind[s - 1] = TOKEN; owner[s - 1] = me };
#else
       d_step { kind[s - 1] = TOKEN; owner[s - 1] = me };
       spare = 0;
#endif
       start_ring(s)
    :: s == 0 ->
       d_step {
           if
           :: kind[0] == FREE -> s = 1
           :: kind[0] != FREE && kind[1] == FREE -> s = 2
           :: kind[0] != FREE && kind[1] != FREE && kind[2] == FREE -> s = 3
           :: else
           fi;
           if
           :: s != 0 -> kind[s - 1] = TOKEN; owner[s - 1] = me
           :: else
           fi
       };
       if
       :: s != 0 -> start_ring(s)
       :: else
       fi
    fi
}

inline grow()
{
    get_ring();
    if
    :: s != 0 ->
#ifdef TAIL_RING_FIRST
       tail_ring = s;
       next[r - 1] = s;
#else
       next[r - 1] = s; /* commit */
       tail_ring = s;
#endif
       r = s
    :: else -> r = 0
    fi;
    s = 0
}

inline append(m)
{
    if
    :: tail[r - 1] - head[r - 1] < ROOM
    :: tail[r - 1] - head[r - 1] >= ROOM -> grow()
    fi;
    if
    :: r != 0 ->
       assert(kind[r - 1] != FREE);
       record[r - 1] = m;
       d_step { tail[r - 1] = tail[r - 1] + 1; committed[m] = true }
    :: else
    fi
}

proctype producer(byte me)
{
    byte i, r, s, at, seen, n, d;
    bool at_limit, linked;

    {
        do
        :: i < (me == 1 -> M : OTHERS) ->
           if
           :: RESERVE && !flagged[me] ->
              lock(producers);
              follow();
              look_at_limit();
              if
              :: shut == 0 && !at_limit -> change(me, true, 1)
              :: else
              fi;
              producers = 0;
              if
              :: flagged[me] && i == 0 -> lock(producers); change(me, false, -1); producers = 0 /* changed its mind */
              :: true
              fi
           :: true
           fi;
           lock(producers);
           follow();
           if
           :: shut != 0 -> producers = 0; break
           :: shut == 0 ->
              if
              :: flagged[me] -> change(me, false, -1)
              :: else
              fi;
              look_at_limit();
              if
              :: at_limit -> producers = 0;
                 if /* until there is room; a slice for each death */
                 :: tail[tail_ring - 1] - head[head_ring - 1] + reserved < LIMIT || shut != 0
                 :: SLICE -> slices[me] = crashes; recover()
                 :: over[NP + NC] -> break
                 fi
              :: !at_limit -> append((me - 1) * M + i); producers = 0; i++
              fi
           fi
        :: else -> break
        od
        ;
        if
        :: flagged[me] -> lock(producers); change(me, false, -1); producers = 0
        :: else
        fi
    } unless { dead[me] };
    over[me] = true
}

/* ---- a consumer ---------------------------------------------------------------------------------------------------- */

/* yoke__chain_advance(): r is the ring of the oldest message. */
inline advance()
{
    do
    :: r = head_ring;
       assert(kind[r - 1] != FREE);
       if
       :: head[r - 1] != tail[r - 1] -> break
       :: head[r - 1] == tail[r - 1] ->
          s = next[r - 1];
          if
          :: s == 0 -> break
#ifndef DRAIN_EARLY
          :: s != 0 && head[r - 1] != tail[r - 1] -> break
#endif
#ifndef RETIRE_EARLY
          :: s != 0 && tail_ring == r -> break
#endif
          :: else ->
#ifndef TAKE_LATE
             d_step { kind[r - 1] = TOKEN; owner[r - 1] = me };
             head_ring = s;
#else
             head_ring = s;
             d_step { kind[r - 1] = TOKEN; owner[r - 1] = me };
#endif
             if /* kept for the producers, or freed: there is one, or it is too small */
             :: d_step { spare == 0 -> spare = r }
             :: d_step { true -> kind[r - 1] = FREE; owner[r - 1] = 0 }
             fi
          fi
       fi
    od;
    s = 0
}

inline take()
{
    d_step { /* out of sight: the copy */
        n = record[r - 1];
        assert(committed[n] && latest[n / M] <= n % M);
    };
    d_step { head[r - 1] = head[r - 1] + 1; gone[n]++; assert(gone[n] == 1); latest[n / M] = n % M + 1; n = 0 }
}

inline discard()
{
    do
    :: advance();
       if
       :: head[r - 1] != tail[r - 1] -> take()
       :: else -> break
       fi
    od
}

#if NP > 1
#define PRODUCERS_OVER (over[1] && over[2])
#else
#define PRODUCERS_OVER over[1]
#endif

proctype consumer(byte me)
{
    byte r, s, at, seen, n, d;
    bool linked;

    {
        do
        :: lock(consumers);
           if
           :: shut == 2 -> discard(); consumers = 0; break
           :: shut == 1 ->
              advance();
              if
              :: head[r - 1] != tail[r - 1] -> take(); consumers = 0
              :: else -> consumers = 0; break
              fi
           :: shut == 0 ->
              advance();
              if
              :: head[r - 1] != tail[r - 1] -> take(); consumers = 0
              :: else ->
                 consumers = 0;
                 if /* until there is something; a slice for each death */
                 :: tail[tail_ring - 1] != head[head_ring - 1] || shut != 0
                 :: SLICE -> slices[me] = crashes; recover()
                 :: PRODUCERS_OVER && over[SHUTTER] && shut == 0 && tail[tail_ring - 1] == head[head_ring - 1] -> break
                 fi
              fi
           fi
        od
    } unless { dead[me] };
    over[me] = true
}

/* ---- the shutdown -------------------------------------------------------------------------------------------------- */

proctype shutter(byte me)
{
    byte r, s, n;

    {
#ifdef SHUT_UNLOCKED
        shut = SHUT;
#else
        lock(producers);
        shut = SHUT;
        producers = 0;
#endif
        if
        :: SHUT == 2 -> lock(consumers); discard(); consumers = 0
        :: else
        fi
    } unless { dead[me] };
    over[me] = true
}

/* ---- death --------------------------------------------------------------------------------------------------------- */

proctype killer()
{
    byte victim;

    do
    :: atomic { crashes < CRASHES ->
#ifdef VICTIM
       victim = VICTIM;
#else
       select(victim : 1 .. SHUTTER);
#endif
       d_step {
           if
           :: !over[victim] && !dead[victim] -> dead[victim] = true; crashes++
           :: else
           fi;
           victim = 0
       } }
    :: break
    od
}

/* Who comes last: recovers, and finds nothing lost. */
proctype last(byte me)
{
    byte at, seen, n, d;
    bool linked;

    recover();
    d_step {
        n = 0;
        do /* a consumer that lived to the end has seen to every message */
        :: n < MESSAGES -> assert(dead[NP + NC] || !committed[n] || gone[n] == 1); n++
        :: else -> break
        od;
        n = 0
    }
    do
    :: n < RINGS ->
       is_linked(n);
       assert(linked == (kind[n] != FREE));
       n++
    :: else -> break
    od;
    n = 0;
    if /* the sums are right, or known to be off */
    :: !reserving -> assert(reserved == 0 || NP < 1)
    :: else
    fi
}

init
{
    byte i;

    atomic {
        kind[0] = OBJECT;
        i = 1;
        do
        :: i <= NP -> run producer(i); i++
        :: i > NP && i <= NP + NC -> run consumer(i); i++
        :: else -> break
        od;
        if
        :: SHUT > 0 -> run shutter(SHUTTER)
        :: else -> over[SHUTTER] = true
        fi;
        run killer();
        i = 0
    }
    PRODUCERS_OVER && over[NP + NC] && over[NP + 1] && over[SHUTTER];
    run last(SHUTTER)
}
