/*
 * Semaphores in signal mode (core/sync/count.c, semaphore_wait.c): three acquire once each, two release one and two
 * (-DSMALL: two, one and one). CRASHES of them may die before any step. Memory is sequentially consistent here; ../semaphores.md argues the
 * fences. A slice is a sleeper that wakes by itself, and is modelled where it matters: when there is something.
 *
 * Checked: the value and what was taken are what was released; when nothing can happen any more, nobody sleeps though the
 * value is above 0.
 *
 * run: -DNO_SLICE
 * run: -DNO_SLICE -DGIVE_UP -DSMALL
 * run: -DCRASHES=1 -DGIVE_UP -DSMALL
 * run: -DCRASHES=2 -DSMALL
 * fault: -DNO_SLICE -DCRASHES=1 -DSMALL
 * fault: -DNO_SLICE -DNO_PASS_ON
 * fault: -DNO_SLICE -DWAITERS_ONCE
 * fault: -DNO_SLICE -DCLEARED_FIRST
 * fault: -DNO_SLICE -DNO_RECHECK
 * fault: -DNO_SLICE -DSLEEP_OVER_VALUE
 * fault: -DNO_SLICE -DHUNGRY_STAYS
 * fault: -DNO_SLICE -DTEST_THEN_SET
 */
#define ACQUIRERS 3
#ifndef CRASHES
#define CRASHES 0
#endif

byte value; bool waiters, hungry; /* the word: changed in one step */
bool asleep[ACQUIRERS + 1];
byte crashes, taken, released;    /* ghosts, but for crashes */
bool over;

#define SOUND assert(value + taken == released)

inline perish() { atomic { crashes < CRASHES -> crashes++; goto out } }
#if CRASHES > 0
#define STEP if :: true :: perish() fi
#else
#define STEP skip
#endif

/* Any of the sleepers, so many. */
inline wake(n) {
    atomic {
        woken = 0;
        do
        :: woken < n && asleep[1] -> asleep[1] = false; woken++
        :: woken < n && asleep[2] -> asleep[2] = false; woken++
        :: woken < n && asleep[3] -> asleep[3] = false; woken++
        :: else -> break
        od
    }
}

inline attempt() {
#ifdef TEST_THEN_SET
    if
    :: value > 0 && (!hungry || slept || past) -> STEP; atomic { value--; taken++; got = true; SOUND; assert(value < 200) }
    :: else
    fi
#else
    atomic {
        if
        :: value > 0 && (!hungry || slept || past) -> value--; taken++; got = true; SOUND
        :: else
        fi
    }
#endif
}

inline pass_on() {
#ifdef WAITERS_ONCE
    atomic { hungry = false }
#else
#ifdef HUNGRY_STAYS
    atomic { waiters = true }
#else
    atomic { waiters = true; hungry = false }
#endif
#endif
    STEP;
    if :: value > 0 -> wake(1) :: else fi
}

proctype acquirer(byte me) {
    byte seen, woken; bool seen_hungry, slept, beaten, past, got, was_woken;

    attempt(); /* the ordinary case */
    if :: got -> goto out :: else fi;
    do
    :: STEP;
       atomic { /* ask_to_be_woken */
#ifdef WAITERS_ONCE
           if :: !slept -> waiters = true :: else fi;
#else
           waiters = true;
#endif
           hungry = hungry || beaten; seen = value; seen_hungry = hungry
       };
       STEP;
       attempt();
       STEP;
       if
       :: got ->
#ifndef NO_PASS_ON
           if :: slept -> pass_on() :: else fi;
#endif
           goto out
       :: else
       fi;
       beaten = beaten || was_woken;
       if
       :: past -> if :: beaten -> hungry = false :: else fi; goto out
       :: else
       fi;
       was_woken = false;
#ifndef SLEEP_OVER_VALUE
       if :: seen > 0 && !(seen_hungry && !slept) -> goto again :: else fi; /* may_sleep_on */
#endif
       if
#ifdef NO_RECHECK
       :: atomic { true -> asleep[me] = true };
#else
       :: atomic { value == seen && waiters && hungry == seen_hungry -> asleep[me] = true };
#endif
          do
          :: !asleep[me] -> was_woken = true; break
#ifndef NO_SLICE
          :: atomic { asleep[me] && value > 0 -> asleep[me] = false }; break
#endif
#ifdef GIVE_UP
          :: atomic { asleep[me] && !past -> asleep[me] = false; past = true }; break
#endif
          :: over -> goto out
          :: atomic { crashes < CRASHES -> crashes++; asleep[me] = false; goto out }
          od
#ifndef NO_RECHECK
       :: atomic { !(value == seen && waiters && hungry == seen_hungry) -> skip }
#endif
       fi;
       slept = true;
again: skip
    od;
out: skip
}

proctype releaser(byte n) {
    bool had; byte woken;

    STEP;
#ifdef CLEARED_FIRST
    atomic { had = waiters; waiters = false };
    STEP;
    atomic { value = value + n; released = released + n; SOUND };
#else
    atomic { had = waiters; waiters = false; value = value + n; released = released + n; SOUND };
#endif
    STEP;
    if :: had -> wake(n) :: else fi;
out: skip
}

init {
#ifdef SMALL
    atomic { run acquirer(1); run acquirer(2); run releaser(1); run releaser(1) };
#else
    atomic { run acquirer(1); run acquirer(2); run acquirer(3); run releaser(1); run releaser(2) };
#endif
    timeout; /* nothing else can happen */
    assert(value == 0 || !(asleep[1] || asleep[2] || asleep[3]));
    over = true
}
