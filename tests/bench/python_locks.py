"""multiprocessing.Lock for yoke-bench: prints the nanoseconds of an acquire and release alone, those of making one, and
acquisitions a second of two processes.

Argument: milliseconds.
"""
import multiprocessing
import sys
import time

context = multiprocessing.get_context("fork")


def alone(lock, rounds=200000):
    start = time.perf_counter()
    for _ in range(rounds):
        lock.acquire()
        lock.release()
    return (time.perf_counter() - start) / rounds * 1e9


def make(rounds=2000):
    start = time.perf_counter()
    kept = [context.Lock() for _ in range(rounds)]
    took = (time.perf_counter() - start) / rounds * 1e9
    del kept
    return took


def take_turns(lock, go, stop, done):
    count = 0
    while not go.value:
        pass
    while not stop.value:
        for _ in range(100):
            lock.acquire()
            lock.release()
        count += 100
    done.value = count


def together(milliseconds):
    lock = context.Lock()
    go, stop = context.Value("b", 0, lock=False), context.Value("b", 0, lock=False)
    done = [context.Value("q", 0, lock=False) for _ in range(2)]
    processes = [context.Process(target=take_turns, args=(lock, go, stop, d), daemon=True) for d in done]
    for process in processes:
        process.start()
    go.value = 1
    start = time.perf_counter()
    time.sleep(milliseconds / 1000)  # the length of the measurement
    stop.value = 1
    took = time.perf_counter() - start
    for process in processes:
        process.join()
    return sum(d.value for d in done) / took


if __name__ == "__main__":
    print(alone(context.Lock()), make(), together(int(sys.argv[1])))
