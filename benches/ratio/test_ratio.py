"""The arithmetic of benches/ratio.sh on numbers whose result is known: run by tests/ratio.rs."""
import itertools, os, types, unittest

for variable in ("RATIO_WORK", "RATIO_LIBRARY", "RATIO_JEMALLOC"):
    os.environ.setdefault(variable, "/nowhere")
import calls, memory, paired, programs, rounds


class Interval(unittest.TestCase):
    def test_its_ranks_are_those_of_the_tables_in_textbooks(self):
        # n, then k: the interval is from the k-th smallest to the k-th largest.
        for n, k in {6: 1, 8: 1, 9: 2, 12: 3, 15: 4, 17: 5, 20: 6, 25: 8, 30: 10, 40: 14, 50: 18}.items():
            self.assertEqual(paired.interval(range(n, 0, -1)), (k, n + 1 - k))

    def test_there_is_none_for_fewer_than_six(self):
        self.assertIsNone(paired.interval([]))
        self.assertIsNone(paired.interval([1, 2, 3, 4, 5]))

    def test_it_misses_the_median_seldom_and_the_next_narrower_one_would_not(self):
        for n in range(6, 15):
            missed = missed_narrower = 0
            for below in itertools.product((0, 1), repeat=n):  # all equally likely: who lies below a median of 0
                values = sorted(-place if is_below else place for place, is_below in enumerate(below, 1))
                low, high = paired.interval(values)
                missed += low > 0 or high < 0
                first = values.index(low) + 1
                missed_narrower += values[first] > 0 or values[n - 1 - first] < 0
            self.assertLessEqual(missed / 2**n, 0.05)
            self.assertGreater(missed_narrower / 2**n, 0.05)


class Verdict(unittest.TestCase):
    def test_it_is_settled_only_when_the_limit_is_outside_the_interval(self):
        self.assertEqual(paired.verdict((1.00, 1.03), 1.03), "ok")
        self.assertEqual(paired.verdict((1.02, 1.04), 1.03), "not settled")
        self.assertEqual(paired.verdict((1.04, 1.05), 1.03), "above")
        self.assertEqual(paired.verdict(None, 1.03), "not settled")


class Median(unittest.TestCase):
    def test_of_odd_and_even_numbers(self):
        self.assertEqual(paired.median([9, 1, 2]), 2)
        self.assertEqual(paired.median([9, 1, 2, 4]), 3)


class Pairs(unittest.TestCase):
    """Six rounds on a machine that becomes slower all the time."""

    def setUp(self):
        drift = (1.0, 1.1, 1.2, 1.4, 1.7, 2.1)
        costs = {"plain": 1, "again": 1, "512k": 1.02, "128k": 1.06, "jemalloc": 0.5, "jemalloc 512k prof": 0.51}
        self.rounds = rounds.Rounds(programs.Program("name\tjvm\t-\tA=1\tB=2\tprogram\tC=3"), costs)
        for kind, cost in costs.items():
            self.rounds.runs[kind] = [types.SimpleNamespace(cpu=cost * slow) for slow in drift]

    def test_each_run_is_divided_by_the_one_of_its_round(self):
        for ratio in self.rounds.ratios("128k"):
            self.assertAlmostEqual(ratio, 1.06)

    def test_the_profiler_of_jemalloc_is_divided_by_jemalloc(self):
        for ratio in self.rounds.ratios("jemalloc 512k prof"):
            self.assertAlmostEqual(ratio, 1.02)
        for ratio in self.rounds.beside_jemalloc("512k"):
            self.assertAlmostEqual(ratio, 1.0)

    def test_rounds_end_when_every_kind_has_a_narrow_interval(self):
        self.assertTrue(self.rounds.settled())
        self.rounds.runs["512k"][3].cpu *= 1.03
        self.assertFalse(self.rounds.settled())

    def test_rounds_do_not_wait_for_another_allocator(self):
        self.rounds.runs["jemalloc 512k prof"][3].cpu *= 1.03
        self.rounds.runs["jemalloc"][3].cpu *= 1.03
        self.assertTrue(self.rounds.settled())


class Commands(unittest.TestCase):
    def test_the_variables_stand_before_the_program(self):
        program = programs.Program("name\tjvm\tholds\tA=1\tB=2\tprogram\tC=3")
        self.assertEqual(program.words("plain"), ["env", "A=1", "B=2", "program", "C=3"])
        self.assertEqual(program.words("dormant"), ["env", "A=1", "B=2", "LD_PRELOAD=/nowhere", "program", "C=3"])
        self.assertIn("lg_prof_sample:17", program.words("jemalloc 128k prof")[4])


class Counts(unittest.TestCase):
    def test_they_are_read_from_the_table_of_strace(self):
        table = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 54.45    0.291030          18     15415           madvise
  0.11    0.000569          28        20         3 munmap
------ ----------- ----------- --------- --------- ----------------
100.00    0.534443          24     15435         3 total
"""
        self.assertEqual(calls.counts(table), {"mmap": 0, "munmap": 20, "madvise": 15415, "brk": 0})


class Bound(unittest.TestCase):
    def test_of_memory_is_one_and_a_half_megabytes_and_a_hundredth(self):
        self.assertEqual(memory.verdict([1_500_000, 1_820_000], live=32_000_000), "ok")
        self.assertEqual(memory.verdict([1_500_000, 1_820_001], live=32_000_000), "not settled")
        self.assertEqual(memory.verdict([1_820_001], live=32_000_000), "above")


if __name__ == "__main__":
    unittest.main()
