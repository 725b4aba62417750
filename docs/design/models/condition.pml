/*
 * A condition with its lock (core/sync/waiters.c, condition.c): WAITERS processes wait once each, one notifies NOTIFY of
 * them; CRASHES processes may die before any step, the recovery too, which is begun again. Memory is sequentially
 * consistent here. How the lock's word sleeps is in lock.pml; here only who has it, takeover and news matter.
 *
 *   -DTIMEOUTS   who waits may give up at any time
 *   -DNO_SLICE   sleepers look only when they are woken
 *
 * A slice is given to all sleepers for each death, for the end of each recovery, and where somebody gives up while an
 * orphan stands; so in the ordinary case wake-ups have to do alone.
 *
 * Checked: whoever still sleeps when nothing more happens has neither a notify standing for it nor a death to hear of; a
 * notify ends a wait only with the lock held, goes only to who waited when it was given, and is dropped only if nobody
 * who did is left; at the end, those given are those that ended a wait, those dropped, and those whose waiter died after
 * all others had gone. No slot is left to the dead.
 *
 * run: -DNO_SLICE
 * run: -DNO_SLICE -DTIMEOUTS
 * run: -DCRASHES=1 -DTIMEOUTS
 * run: -DCRASHES=2
 * run: -DCRASHES=1 -DNOTIFY=2
 * fault: -DNO_SLICE -DNO_WAKE
 * fault: -DNO_SLICE -DCRASHES=1
 * fault: -DTIMEOUTS -DBLIND_GIVE_UP
 * fault: -DCRASHES=1 -DNO_PASS_ON
 * fault: -DCRASHES=1 -DLEAVE_EARLY
 * fault: -DCRASHES=1 -DNO_SWEEP
 * fault: -DCRASHES=1 -DNO_NEWS
 * fault: -DCRASHES=2 -DDOUBLE_PASS
 */
#ifndef WAITERS
#define WAITERS 2
#endif
#ifndef NOTIFY
#define NOTIFY 1
#endif
#ifndef CRASHES
#define CRASHES 0
#endif

#define NOTIFIER (WAITERS + 1)
#define GONE     (WAITERS + 2) /* stands in the lock after recovery: no process, and dead */
#define NONE     255

mtype = { FREE, CLAIMED, WAITING, NOTIFIED, ORPHANED };

/* The slots: state and token change in one step. */
mtype state[WAITERS] = FREE;
byte  token[WAITERS], ticket[WAITERS], heard[WAITERS];
byte  next_ticket;

byte owner; bool news;                       /* the lock */
bool dead[WAITERS + 3], asleep[WAITERS + 3], slice[WAITERS + 3];
byte sleeps_on[WAITERS + 3];
bool unswept;                                /* somebody is dead, and not recovered */
byte crashes, finished;
byte given, ended, dropped;                  /* ghosts */

#ifdef NO_SLICE
#define slices() skip
#else
#define slices() for (k : 1 .. WAITERS) { slice[k] = true }; k = 0
#endif

inline perish() {
    atomic {
        crashes < CRASHES ->
        crashes++; dead[me] = true; asleep[me] = false; unswept = true;
        slices();
        goto out
    }
}
#define STEP if :: true :: perish() fi

#define MAY_HAVE(s, h) (state[s] == WAITING && !dead[token[s]] && ticket[s] < h)

/* Who came first of those who wait, live and came before ticket h. */
inline oldest(result, h) {
    d_step {
        result = NONE;
        for (k : 0 .. WAITERS - 1) {
            if
            :: MAY_HAVE(k, h) && (result == NONE || ticket[k] < ticket[result]) -> result = k
            :: else
            fi
        }
        k = 0
    }
}

inline wake(s) {
#ifndef NO_WAKE
    d_step {
        for (k : 1 .. WAITERS) {
            if :: asleep[k] && sleeps_on[k] == s -> asleep[k] = false :: else fi
        }
        k = 0
    }
#endif
    skip
}

/* A notified slot whose owner is dead or leaves it. */
inline disown(s) {
    oldest(heir, heard[s]);
    STEP;
#ifdef NO_PASS_ON
    heir = NONE;
#endif
#ifdef DOUBLE_PASS
    if
    :: heir != NONE ->
        atomic { state[heir] == WAITING -> heard[heir] = heard[s]; state[heir] = NOTIFIED };
        STEP; wake(heir); STEP; atomic { state[s] = FREE; token[s] = 0 }
    :: else -> atomic { state[s] = FREE; token[s] = 0; dropped++ }
    fi
#else
    if
    :: heir != NONE -> atomic { state[s] = ORPHANED; token[s] = 0 }; STEP; wake(heir)
    :: heir == NONE ->
        atomic {
            for (k : 0 .. WAITERS - 1) { assert(!MAY_HAVE(k, heard[s])) };
            k = 0;
            state[s] = FREE; token[s] = 0; dropped++
        }
    fi
#endif
}

inline acquire() {
    atomic {
        (owner == 0 || dead[owner]);
        if :: owner != 0 -> news = true :: else fi;
        owner = me
    }
}

inline give_up() { /* won: the slot was not notified before */
#ifdef BLIND_GIVE_UP
    won = true; state[mine] = FREE; token[mine] = 0;
#else
    atomic {
        won = (state[mine] == WAITING);
        if
        :: won -> state[mine] = FREE; token[mine] = 0
        :: else
        fi;
        for (k : 0 .. WAITERS - 1) { if :: state[k] == ORPHANED -> orphans = true :: else fi };
        k = 0;
        if :: orphans -> slices(); orphans = false :: else fi
    }
#endif
}

proctype waiter(byte me) {
    byte mine, o, heir, k; bool known, won, slept, adopted, orphans;

    acquire();
    STEP;
    atomic { mine = me - 1; do :: state[mine] == FREE -> break :: else -> mine = (mine + 1) % WAITERS od;
             state[mine] = CLAIMED; token[mine] = me };
    STEP;
    ticket[mine] = next_ticket; next_ticket++;
    STEP;
    state[mine] = WAITING;
    STEP;
    known = news;
    owner = 0;
    STEP;
    do
    :: state[mine] == NOTIFIED -> break
    :: state[mine] == WAITING ->
        if
        :: slept ->
            o = 0;
            do
            :: o < WAITERS ->
                if
                :: state[o] == ORPHANED && ticket[mine] < heard[o] ->
                    oldest(heir, heard[o]);
                    STEP;
                    if
                    :: heir == mine ->
                        atomic {
                            adopted = (state[o] == ORPHANED);
                            if
                            :: adopted -> assert(ticket[mine] < heard[o]); state[o] = NOTIFIED; token[o] = me
                            :: else
                            fi
                        };
                        STEP;
                        if
                        :: adopted ->
                            adopted = false;
                            give_up();
                            if
                            :: won -> mine = o; break
                            :: else -> disown(o); break
                            fi
                        :: else -> o++
                        fi
                    :: heir != mine && heir != NONE -> wake(heir); o++
                    :: heir == NONE -> o++
                    fi
                :: else -> o++
                fi
            :: else -> break
            od;
            o = 0; heir = 0
        :: else
        fi;
        STEP;
        if
        :: state[mine] == NOTIFIED -> break
#ifndef NO_NEWS
        :: news && !known -> give_up(); break
#endif
#ifdef TIMEOUTS
        :: give_up(); break
#endif
#ifdef NO_NEWS
        :: state[mine] == WAITING -> skip
#else
        :: state[mine] == WAITING && !(news && !known) -> skip
#endif
        fi;
        if
        :: atomic { state[mine] == WAITING -> asleep[me] = true; sleeps_on[me] = mine };
            do
            :: !asleep[me] -> break
            :: slice[me] -> atomic { slice[me] = false; asleep[me] = false }; break
            :: perish()
            :: timeout ->
                assert(state[mine] == WAITING);
                assert(!(news && !known));
                oldest(heir, 255);
                d_step {
                    for (k : 0 .. WAITERS - 1) { assert(!(state[k] == ORPHANED && ticket[mine] < heard[k])) };
                    k = 0
                };
                asleep[me] = false; give_up(); goto back
            od;
            slept = true
        :: atomic { state[mine] != WAITING -> skip }
        fi
    od;
back:
    won = !(state[mine] == NOTIFIED && token[mine] == me); /* won: nothing to leave */
#ifdef LEAVE_EARLY
    if :: !won -> atomic { assert(owner == me); state[mine] = FREE; token[mine] = 0; ended++ } :: else fi;
    won = true; STEP;
#endif
    STEP;
    acquire();
    STEP;
    if
    :: !won -> atomic { assert(owner == me); state[mine] = FREE; token[mine] = 0; ended++ }
    :: else
    fi;
    STEP;
    owner = 0;
out:
    finished++
}

proctype notifier(byte me) {
    byte target, n, h, k; bool done;

    acquire();
    STEP;
    h = next_ticket;
    do
    :: n < NOTIFY ->
        oldest(target, h);
        STEP;
        if
        :: target == NONE -> break
        :: else ->
            heard[target] = h; /* whoever has the slot by now: only this process writes it while it is WAITING */
            STEP;
            atomic {
                done = (state[target] == WAITING);
                if :: done -> state[target] = NOTIFIED; given++; n++ :: else fi
            };
            STEP;
            if :: done -> wake(target) :: else fi;
            STEP
        fi
    :: else -> break
    od;
    owner = 0;
out:
    finished++
}

/* By whoever comes next. One that dies is followed by another, which begins again. */
proctype recovery() {
    byte s, heir, k; byte me = 0;

again:
end:
    atomic { unswept -> unswept = false };
#ifndef NO_SWEEP
    atomic { if :: owner != 0 && dead[owner] -> news = true; owner = GONE :: else fi };
    s = 0;
    do
    :: s < WAITERS ->
        if
        :: atomic { token[s] != 0 && dead[token[s]] && state[s] != NOTIFIED && state[s] != ORPHANED ->
                    state[s] = FREE; token[s] = 0 }
        :: atomic { token[s] != 0 && dead[token[s]] && state[s] == NOTIFIED -> skip };
            disown(s)
        :: else
        fi;
        s++
    :: else -> break
    od;
#endif
    atomic { slices() };
    goto again;
out: /* died: the same as beginning again, but for what it has done */
    dead[0] = false; heir = 0; goto again
}

init {
    byte k;

    atomic {
        dead[GONE] = true;
        for (k : 1 .. WAITERS) { run waiter(k) };
        run notifier(NOTIFIER);
        run recovery()
    };
    (finished == WAITERS + 1 && !unswept);
    (timeout); /* the recovery has ended too */
    d_step {
        for (k : 0 .. WAITERS - 1) {
            assert(!(token[k] != 0 && dead[token[k]]));
            if :: state[k] == ORPHANED || state[k] == NOTIFIED -> dropped++ :: else fi
        };
        k = 0
    };
    assert(given == ended + dropped)
}
