/*
 * core/queue as implemented: a ring under two owner-word locks with takeover, messages in the ring or in blocks, holds,
 * the consumers' journal, the list of redeliveries, recovery under the registry lock, and sleeping by flag and word.
 * One statement here is one shared access there; what is written out of sight is one d_step. Anybody may be killed before
 * any statement (`unless`), also inside the recovery. README.md tells what was checked, and how to run it.
 *
 * Who sleeps wakes by being woken, or by a slice: one for each death, since only a death makes slices necessary. So with
 * no death the flag and the word must do without, and a lost wake-up ends in a deadlock that Spin reports.
 *
 * run: -DNP=1 -DNC=1 -DM=2 -DCRASHES=2
 * run: -DNP=1 -DNC=2 -DM=2 -DCRASHES=0 -DHOLDS=0
 * run: -DNP=1 -DNC=2 -DM=1 -DCRASHES=1 -DHOLDS=0
 * fault: -DNP=1 -DNC=1 -DM=2 -DTAIL_FIRST
 * fault: -DNP=1 -DNC=1 -DM=2 -DFREE_FIRST
 * fault: -DNP=1 -DNC=2 -DM=2 -DHEAD_FIRST
 * fault: -DNP=1 -DNC=2 -DM=1 -DNO_REDO
 * fault: -DNP=1 -DNC=2 -DM=1 -DNO_JOURNAL
 * fault: -DNP=1 -DNC=2 -DM=1 -DNO_TAKEOVER -DHOLDS=0
 * fault: -DNP=1 -DNC=2 -DM=1 -DNO_SLICE -DHOLDS=0
 * fault: -DNP=1 -DNC=1 -DM=2 -DNO_RECHECK
 * run: -DNP=1 -DNC=2 -DM=2 -DN=2 -DCRASHES=0 -DHOLDS=0
 * fault: -DNP=1 -DNC=2 -DM=2 -DN=2 -DCRASHES=0 -DHOLDS=0 -DNO_PASS_ON
 */
#ifndef NP
#define NP 2 /* producers */
#endif
#ifndef NC
#define NC 2 /* consumers */
#endif
#ifndef M
#define M 1 /* messages of each producer: number 0 lies in the ring, number 1 in a block, and so on */
#endif
#ifndef N
#define N 1 /* records that the ring holds: also the limit that producers wait for */
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef HOLDS
#define HOLDS 1 /* consumers may peek, release and return */
#endif
#define MESSAGES (NP * M)
#define PROCESSES (NP + NC + 1) /* 0: nobody */
#define IN_BLOCK(m) ((m) % 2)

/* Block of message m: the allocator's state word. */
#define NONE 0
#define TOKEN 1  /* owner's: comes back with it unless it is linked */
#define HELD 2   /* taken by owner, not done with */
#define OBJECT 3 /* the queue's */
byte kind[MESSAGES];
byte owner[MESSAGES];

byte record[N];
byte tail, head;               /* monotonic; the ring's words */
byte redeliver;                /* first of the list, m + 1 */
byte next[MESSAGES];
byte producers, consumers, registry; /* owner words */

/* The journal. */
bool valid, moves_head, holds;
byte j_head, j_block, j_token;

/* Sleeping. */
bool getters_sleep, putters_sleep;
bool unchanged[PROCESSES]; /* the word that it saw, items or space, still stands */
bool asleep[PROCESSES]; /* in the kernel */
byte slices[PROCESSES];

/* Ghosts. */
bool dead[PROCESSES], buried[PROCESSES], over[PROCESSES];
byte crashes;
bool written[MESSAGES];   /* the record or block is whole */
bool committed[MESSAGES];
byte consumed[MESSAGES];
bool returned;

/* ---- locks --------------------------------------------------------------------------------------------------------- */

inline apply()
{
    if
    :: moves_head -> head = j_head
    :: else
    fi;
    d_step { kind[j_block] = (holds -> HELD : TOKEN); owner[j_block] = j_token }
}

inline lock(word)
{
    do
    :: d_step { word == 0 -> word = me; took = 0 }; break
#ifndef NO_TAKEOVER
    :: d_step { word != 0 && dead[word] -> word = me; took = 1 }; break
#endif
    od
}

inline lock_consumers()
{
    lock(consumers);
#ifndef NO_REDO
    if
    :: took && valid -> apply(); valid = false; took = 0
    :: else
    fi
#else
    skip
#endif
}

/* ---- waking and sleeping ------------------------------------------------------------------------------------------- */

inline wake_getters()
{
    if
    :: d_step { getters_sleep -> getters_sleep = false };
       atomic {
           unchanged[NP + 1] = false;
           unchanged[NP + NC] = false;
           if /* one of them */
           :: asleep[NP + 1] -> asleep[NP + 1] = false
#if NC > 1
           :: asleep[NP + 2] -> asleep[NP + 2] = false
#endif
           :: !asleep[NP + 1] && (NC < 2 || !asleep[NP + NC])
           fi
       }
    :: else
    fi
}

inline wake_putters()
{
    if
    :: d_step { putters_sleep -> putters_sleep = false };
       atomic {
           unchanged[1] = false;
           unchanged[NP] = false;
           if /* one of them */
           :: asleep[1] -> asleep[1] = false
#if NP > 1
           :: asleep[2] -> asleep[2] = false
#endif
           :: !asleep[1] && (NP < 2 || !asleep[NP])
           fi
       }
    :: else
    fi
}

/* ---- recovery ------------------------------------------------------------------------------------------------------ */

/* Both locks held: is block m in the ring or in the list? */
inline is_linked(m)
{
    d_step {
        linked = false;
        at = head;
        do
        :: at < tail -> linked = linked || (record[at % N] == m && IN_BLOCK(m)); at++
        :: else -> break
        od;
        at = redeliver;
        do
        :: at != 0 -> linked = linked || at == m + 1; at = next[at - 1]
        :: else -> break
        od;
        at = 0
    }
}

inline list_again(m)
{
    next[m] = redeliver;
    redeliver = m + 1 /* commit */
}

/* links() and the allocator's settle() for one block that stood at (was, gone). */
inline settle(m, gone)
{
    d_step { was = kind[m]; again = false; linked = false };
    lock(producers);
    lock_consumers();
    is_linked(m);
    if
    :: linked
#ifdef STALE_HOLD
    :: !linked && was == HELD -> list_again(m); again = true; linked = true
    :: !linked && was != HELD
#else
    :: !linked && kind[m] == HELD && !dead[owner[m]] -> linked = true
    :: !linked && kind[m] == HELD && dead[owner[m]] -> list_again(m); again = true; linked = true
    :: !linked && kind[m] != HELD
#endif
    fi;
    consumers = 0;
    producers = 0;
    if
    :: again -> wake_getters()
    :: else
    fi;
    d_step { /* a CAS; or under the allocator's lock */
        if
        :: kind[m] == was && owner[m] == gone -> kind[m] = (linked -> OBJECT : NONE)
        :: !(kind[m] == was && owner[m] == gone) && !linked && kind[m] == TOKEN && owner[m] == gone -> kind[m] = NONE
        :: else
        fi;
        if :: kind[m] == NONE -> owner[m] = 0 :: else fi;
        linked = false; again = false; was = 0; took = 0
    }
}

inline recover()
{
    lock(registry);
    d = 1;
    do
    :: d < PROCESSES && dead[d] && !buried[d] ->
       if /* sweep */
       :: consumers == d || valid -> lock_consumers(); consumers = 0
       :: else
       fi;
       b = 0;
       do
       :: b < MESSAGES && (kind[b] == TOKEN || kind[b] == HELD) && owner[b] == d -> settle(b, d)
       :: b < MESSAGES && !((kind[b] == TOKEN || kind[b] == HELD) && owner[b] == d) -> b++
       :: b == MESSAGES -> break
       od;
       skip;
       d_step { buried[d] = true; b = 0; d++ }
    :: d < PROCESSES && !(dead[d] && !buried[d]) -> d++
    :: d == PROCESSES -> break
    od;
    d = 0;
    registry = 0
}

/* Until woken, or for a slice; nobody is left, or nothing to come: over. */
#ifdef NO_SLICE
#define SLICE false
#else
#define SLICE (slices[me] < crashes)
#endif
inline sleep(nothing_to_come)
{
    d_step { asleep[me] = unchanged[me]; unchanged[me] = false; slept = true; took = 0 };
    if
    :: !asleep[me]
    :: SLICE -> d_step { asleep[me] = false; slices[me] = crashes }; recover()
    :: nothing_to_come -> goto leave
    fi
}

/* ---- a producer ---------------------------------------------------------------------------------------------------- */

#if NC > 1
#define CONSUMERS_OVER (over[NP + 1] && over[NP + 2])
#else
#define CONSUMERS_OVER over[NP + 1]
#endif
#if NP > 1
#define PRODUCERS_OVER (over[1] && over[2])
#else
#define PRODUCERS_OVER over[1]
#endif

#define NOBODY_HOLDS \
    (kind[0] != HELD && (MESSAGES < 2 || kind[1 % MESSAGES] != HELD) && (MESSAGES < 3 || kind[2 % MESSAGES] != HELD) && \
     (MESSAGES < 4 || kind[3 % MESSAGES] != HELD))
#define NOTHING_TO_COME (PRODUCERS_OVER && head == tail && redeliver == 0 && !valid && NOBODY_HOLDS)

proctype producer(byte me)
{
    byte i, m, took, was, at, d, b;
    bool linked, again, done, slept;

    {
        do
        :: i < M ->
           d_step {
               m = (me - 1) * M + i;
               i++;
               slept = false;
               if
               :: IN_BLOCK(m) -> kind[m] = TOKEN; owner[m] = me; written[m] = true
               :: else
               fi
           };
           do
           :: unchanged[me] = true; /* word seen */
              putters_sleep = true;
#ifndef NO_RECHECK
              lock(producers);
              if
              :: tail - head < N ->
#ifdef TAIL_FIRST
                 d_step { tail++; committed[m] = true };
                 record[(tail - 1) % N] = m;
                 written[m] = true;
#else
                 d_step { record[tail % N] = m; written[m] = true };
                 d_step { tail++; committed[m] = true };
#endif
                 producers = 0;
                 wake_getters();
                 break
              :: else -> producers = 0
              fi;
#endif
              sleep(CONSUMERS_OVER)
           od
#ifndef NO_PASS_ON
           ;
           if
           :: slept ->
              putters_sleep = true;
              if
              :: tail - head < N -> wake_putters()
              :: else
              fi
           :: else
           fi
#endif
        :: else -> break
        od;
leave:  skip
    } unless { dead[me] };
    over[me] = true
}

/* ---- a consumer ---------------------------------------------------------------------------------------------------- */

inline count_consumption(m)
{
    assert(committed[m] && written[m]);
    consumed[m]++;
    assert(consumed[m] == 1)
}

/* Held, and no lock: copy, then free. */
inline finish(m)
{
#ifdef FREE_FIRST
    d_step { kind[m] = NONE };
    d_step { assert(kind[m] == HELD && owner[m] == me); count_consumption(m) }
#else
    d_step { assert(kind[m] == HELD && owner[m] == me) }; /* the copy */
    d_step { assert(kind[m] == HELD && owner[m] == me); kind[m] = NONE; owner[m] = 0; count_consumption(m) }
#endif
}

/* One journal record; the ghost counts at the commit. */
inline journal(m, new_head, moves, hold)
{
#ifdef NO_JOURNAL
    d_step {
        moves_head = moves; holds = hold; j_head = new_head; j_block = m; j_token = me;
        if :: !(hold) -> count_consumption(m) :: else fi
    };
    apply()
#else
    d_step { /* the fields are out of sight until the commit */
        moves_head = moves; holds = hold; j_head = new_head; j_block = m; j_token = me;
        valid = true;
        if :: !(hold) -> count_consumption(m) :: else fi };
    apply();
    d_step { valid = false; moves_head = false; holds = false; j_head = 0; j_block = 0; j_token = 0 }
#endif
}

/* A held message: release it or put it back. */
inline let_go(m)
{
    if
    :: lock_consumers();
       assert(kind[m] == HELD && owner[m] == me);
       journal(m, 0, false, false);
       consumers = 0;
       d_step { kind[m] = NONE; owner[m] = 0 }
    :: d_step { !returned -> returned = true };
       lock_consumers();
       list_again(m);
       consumers = 0;
       wake_getters()
    fi
}

proctype consumer(byte me)
{
    byte m, took, was, at, d, b;
    bool linked, again, slept, got, peek;

    {
        do
        :: atomic {
               slept = false; got = false; peek = false; m = 0; took = 0; unchanged[me] = false;
               if
               :: HOLDS -> peek = true
               :: true
               fi
           };
           do
           :: unchanged[me] = true; /* word seen */
              getters_sleep = true;
#ifdef NO_RECHECK
              if
              :: slept ->
#endif
              lock_consumers();
              if
              :: d_step { redeliver != 0 -> m = redeliver - 1; kind[m] = HELD; owner[m] = me };
                 d_step { redeliver = next[m]; next[m] = 0; got = true }
#ifdef HEAD_FIRST
              :: d_step { redeliver == 0 && head < tail && IN_BLOCK(record[head % N]) -> m = record[head % N]; head++ };
                 d_step { kind[m] = HELD; owner[m] = me; got = true }
#else
              :: d_step { redeliver == 0 && head < tail && IN_BLOCK(record[head % N]) ->
                          m = record[head % N]; kind[m] = HELD; owner[m] = me };
                 d_step { head++; got = true }
#endif
              :: d_step { redeliver == 0 && head < tail && !IN_BLOCK(record[head % N]) && peek -> /* a new block, a copy */
                          m = record[head % N]; kind[m] = TOKEN; owner[m] = me };
                 journal(m, head + 1, true, true);
                 got = true
              :: d_step { redeliver == 0 && head < tail && !IN_BLOCK(record[head % N]) && !peek -> /* the copy */
                          m = record[head % N]; assert(written[m]) };
                 d_step { head++; count_consumption(m); m = MESSAGES; got = true }
              :: redeliver == 0 && head == tail
              fi;
              consumers = 0;
              if
              :: got -> break
              :: else
              fi;
#ifdef NO_RECHECK
              :: else
              fi;
#endif
              sleep(NOTHING_TO_COME)
           od;
           wake_putters();
#ifndef NO_PASS_ON
           if
           :: slept ->
              getters_sleep = true;
              if
              :: redeliver != 0 || head < tail -> wake_getters()
              :: else
              fi
           :: else
           fi;
#endif
           if
           :: m == MESSAGES
           :: m < MESSAGES && peek -> let_go(m)
           :: m < MESSAGES && !peek -> finish(m)
           fi;
           if /* it may have had enough, if another is there */
           :: true
           :: d_step { me == NP + 1 && NC > 1 && !over[NP + NC] && !dead[NP + NC] -> skip }; break
           fi
        od;
leave:  skip
    } unless { dead[me] };
    over[me] = true
}

/* ---- death --------------------------------------------------------------------------------------------------------- */

proctype killer()
{
    byte victim;

    do
    :: atomic { crashes < CRASHES ->
       if
       :: victim = 1
       :: NP + NC > 1 -> victim = 2 % PROCESSES
       :: NP + NC > 2 -> victim = 3 % PROCESSES
       :: NP + NC > 3 -> victim = 4 % PROCESSES
       fi;
       d_step {
           if
           :: !over[victim] && !dead[victim] -> dead[victim] = true; asleep[victim] = false; crashes++
           :: else
           fi;
           victim = 0
       } }
    :: break
    od
}

init
{
    byte i;
    bool anybody;

    atomic {
        i = 1;
        do
        :: i <= NP -> run producer(i); i++
        :: i > NP && i <= NP + NC -> run consumer(i); i++
        :: else -> break
        od;
        run killer()
    }
    PRODUCERS_OVER && CONSUMERS_OVER;
    /* A consumer that lived on to the end has seen to everything. */
    d_step {
        anybody = !dead[NP + NC];
        i = 0;
        do
        :: i < MESSAGES && anybody -> assert(!committed[i] || consumed[i] == 1); assert(kind[i] == NONE || dead[owner[i]]); i++
        :: else -> break
        od;
        i = 0
    }
}
