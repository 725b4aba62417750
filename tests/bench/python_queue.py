"""multiprocessing.Queue and Pipe for yoke-bench: prints messages a second, or the round trip's percentiles in nanoseconds.

Arguments: flow|trip|pipe_flow|pipe_trip, milliseconds, pin (0 free, 1 sides on different CPUs, 2 all on one), size, depth, putters, getters.
"""
import ctypes
import multiprocessing
import os
import sys
import time

context = multiprocessing.get_context("fork")
CPUS = sorted(os.sched_getaffinity(0))


class Pipe:
    """A duplex pipe with the names of a queue; bytes as they are, no pickles."""

    def __init__(self, depth):
        reader, writer = context.Pipe()
        self.put, self.get = writer.send_bytes, reader.recv_bytes
        self.ends = reader, writer


lane_of = context.Queue


def pin_side(pin, getter):
    if pin:
        os.sched_setaffinity(0, {CPUS[-1 if len(CPUS) < 2 else 1] if pin == 1 and getter else CPUS[0]})


def put_all(queue, size, pin):
    pin_side(pin, False)
    data = bytes(size)
    while True:
        queue.put(data)


def get_all(queue, counts, index, pin):
    pin_side(pin, True)
    count = 0
    while True:
        queue.get()
        count += 1
        counts[index] = count


def wait_for_more(counts, than):
    while sum(counts) <= than:
        time.sleep(0.00005)  # looks now and then: nothing is in step by it


def flow(seconds, pin, size, depth, putters, getters):
    queue = lane_of(depth)
    counts = context.RawArray(ctypes.c_uint64, getters)
    crew = [context.Process(target=put_all, args=(queue, size, pin), daemon=True) for _ in range(putters)]
    crew += [context.Process(target=get_all, args=(queue, counts, i, pin), daemon=True) for i in range(getters)]
    for process in crew:
        process.start()
    wait_for_more(counts, 0)
    time.sleep(seconds / 5)  # until it runs evenly
    wait_for_more(counts, sum(counts))
    start, first = time.perf_counter(), sum(counts)
    time.sleep(seconds)  # the length of the measurement
    wait_for_more(counts, sum(counts))
    rate = (sum(counts) - first) / (time.perf_counter() - start)
    return crew, [rate]


def answer(there, back, pin):
    pin_side(pin, True)
    while True:
        back.put(there.get())


def trips(there, back, seconds, size, think):
    data, samples = bytes(size), []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or not samples:
        if think:
            time.sleep(think)  # the pause that this kind of round trip is about
        start = time.perf_counter_ns()
        there.put(data)
        back.get()
        samples.append(time.perf_counter_ns() - start)
    samples.sort()
    return [samples[len(samples) // 2], samples[len(samples) * 99 // 100]]


def trip(seconds, pin, size, depth):
    there, back = lane_of(depth), lane_of(depth)
    process = context.Process(target=answer, args=(there, back, pin), daemon=True)
    process.start()
    pin_side(pin, False)
    trips(there, back, seconds / 5, size, 0)
    return [process], trips(there, back, seconds, size, 0) + trips(there, back, seconds, size, 0.001)


def main():
    global lane_of
    kind, (ms, pin, size, depth, putters, getters) = sys.argv[1], map(int, sys.argv[2:8])
    if kind.startswith("pipe_"):
        lane_of = Pipe
    if kind.endswith("flow"):
        crew, values = flow(ms / 1000, pin, size, depth, putters, getters)
    else:
        crew, values = trip(ms / 1000, pin, size, depth)
    for process in crew:
        process.kill()
    os.write(1, (" ".join(map(str, values)) + "\n").encode())  # in one piece
    os._exit(0)  # the queue's own threads would wait for readers that are gone


main()
