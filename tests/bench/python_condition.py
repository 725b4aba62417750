"""Microseconds from a notify until the sleeper has returned from its wait: median. Argument: how often."""
import multiprocessing as mp
import statistics
import sys
import time


def sleeper(condition, turn, woken, returned):
    for i in range(len(returned)):
        with condition:
            while turn.value != i + 1:
                condition.wait()
        returned[i] = time.monotonic()
        woken.value = i + 1


def main():
    n = int(sys.argv[1])
    mp.set_start_method("fork")
    condition = mp.Condition()
    turn, woken = mp.Value("i", 0, lock=False), mp.Value("i", 0, lock=False)
    returned = mp.Array("d", n, lock=False)
    child = mp.Process(target=sleeper, args=(condition, turn, woken, returned))
    child.start()
    took = []
    for i in range(n):
        time.sleep(0.0004)  # time for the other to fall asleep: what is measured is waking it
        start = time.monotonic()
        with condition:
            turn.value = i + 1
            condition.notify()
        while woken.value != i + 1:
            time.sleep(0.00002)  # looks now and then, outside what is measured
        took.append(returned[i] - start)
    child.join()
    print(statistics.median(took[1:]) * 1e6)


main()
