/*
 * The owner word (core/sync/owner_word.c) and the parking lot (core/wait/parking.c): NPROC processes acquire and release
 * once each, CRASHES of them may die before any step. Memory is sequentially consistent here; which full fences make the
 * real one so is argued in ../waiting.md.
 *
 *   default          sleeping by the system's wait on a word: comparing and falling asleep are one step
 *   -DPARKING        sleeping by bit, key and bell
 *   -DNO_SLICE       sleepers wake only when woken
 *   -DGIVE_UP        who has slept may give up, as by a time-out
 *
 * Checked: never two owners; whoever acquires after a holder died is told (flag); nobody is stuck: without slices by the
 * search for invalid end states (with CRASHES=0: slices are not what carries the ordinary case), with slices by the
 * claim `ends` under weak fairness. check.sh runs these and the mutants, each of which must be caught:
 *
 *   -DNO_TAKEOVER -DCLEAR_EARLY -DDROP_WAITERS -DNO_RECHECK -DNO_FLAG -DTEST_THEN_SET -DLEAVE_SILENTLY
 */
#ifndef NPROC
#define NPROC 3
#endif
#ifndef CRASHES
#define CRASHES 0
#endif

byte owner; bool waiters; bool flag;  /* the word: changed in one step */
bool dead[NPROC + 1];
bool asleep[NPROC + 1];               /* by the system */
bool parked[NPROC + 1], key[NPROC + 1], bell[NPROC + 1]; /* the parking lot */
byte crashes, finished;
bool died_holding;                    /* ghost: what the flag has to tell */

inline perish() {
    atomic {
        crashes < CRASHES ->
        crashes++; dead[me] = true; asleep[me] = false; bell[me] = false;
        if :: owner == me -> died_holding = true :: else fi;
        goto out
    }
}
#define STEP if :: true :: perish() fi

#define UNCHANGED (owner == seen && waiters == seen_waiters && flag == seen_flag)
inline look() { atomic { seen = owner; seen_waiters = waiters; seen_flag = flag } }

#ifdef NO_SLICE
#define SLICE_ENDS false
#else
#define SLICE_ENDS true
#endif

inline sleep() {
#ifdef PARKING
    key[me] = true; STEP;
    parked[me] = true; STEP;
listen:
    if :: !key[me] -> goto heard :: else fi;
#ifndef NO_RECHECK
    if :: !UNCHANGED -> goto heard :: else fi;
#endif
    if
    :: bell[me] -> bell[me] = false; goto listen
    :: SLICE_ENDS -> skip
    :: perish()
    fi;
heard:
    key[me] = false; STEP;
    parked[me] = false
#else
    if
    :: atomic { UNCHANGED -> asleep[me] = true };
       do
       :: !asleep[me] -> break
       :: SLICE_ENDS -> asleep[me] = false; break
       :: perish()
       od
    :: atomic { !UNCHANGED -> skip }
    fi
#endif
}

inline wake_one() {
    i = 1;
#ifdef PARKING
    do
    :: i > NPROC -> break
    :: i <= NPROC && parked[i] && key[i] && !dead[i] ->
        STEP;
        if
        :: atomic { key[i] -> key[i] = false }; STEP; bell[i] = !dead[i]; break
        :: atomic { !key[i] -> i++ }
        fi
    :: i <= NPROC && !(parked[i] && key[i] && !dead[i]) -> i++
    od
#else
    atomic {
        do
        :: i > NPROC -> break
        :: i <= NPROC && asleep[i] -> asleep[i] = false; break
        :: i <= NPROC && !asleep[i] -> i++
        od
    }
#endif
}

proctype process(byte me) {
    byte seen, i; bool seen_waiters, seen_flag, slept, had, told;

    look();
    do
    :: seen == 0 -> /* take_free */
#ifdef TEST_THEN_SET
        if :: owner == 0 -> STEP; atomic { owner = me; waiters = slept; told = flag; break } :: owner != 0 -> look() fi
#else
        if
#ifdef DROP_WAITERS
        :: atomic { UNCHANGED -> owner = me; waiters = false; told = flag; break }
#else
        :: atomic { UNCHANGED -> owner = me; waiters = slept; told = flag; break }
#endif
        :: atomic { !UNCHANGED -> skip }; look()
        fi
#endif
#ifndef NO_TAKEOVER
    :: seen != 0 && dead[seen] -> /* take_over */
        if
#ifdef NO_FLAG
        :: atomic { UNCHANGED -> owner = me; waiters = true; told = true; break }
#else
        :: atomic { UNCHANGED -> owner = me; waiters = true; flag = true; told = true; break }
#endif
        :: atomic { !UNCHANGED -> skip }; look()
        fi
    :: seen != 0 && !dead[seen] ->
#else
    :: seen != 0 ->
#endif
#ifdef LEAVE_SILENTLY
        if :: slept -> goto out :: true fi;
#endif
        if
        :: !seen_waiters ->
            if
            :: atomic { UNCHANGED -> waiters = true; seen_waiters = true }
            :: atomic { !UNCHANGED -> skip }; look(); goto again
            fi
        :: seen_waiters
        fi;
#ifdef GIVE_UP
        if :: slept -> goto out :: true fi;
#endif
        STEP;
        sleep();
        slept = true;
        look();
again:  STEP
    :: perish()
    od;

    assert(owner == me);
    assert(!died_holding || told);
    STEP;
    assert(owner == me);
#ifdef CLEAR_EARLY
    waiters = false; STEP;
#endif
    atomic { had = waiters; owner = 0; waiters = false }; /* release: one step, the flag stays */
    STEP;
    if :: had -> wake_one() :: else fi;
out:
    finished++
}

init {
    byte k;
    atomic { for (k : 1 .. NPROC) { run process(k) } };
    (finished == NPROC)
}

ltl ends { <> (finished == NPROC) }
