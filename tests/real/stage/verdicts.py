"""What a part found: one printed line for each thing it proved or could not prove."""

import contextlib
import sys
import traceback

GOOD = "  ok      "
BAD = "  FAILED  "


def check(sentence, good, why=""):
    """Prints one verdict and says whether it is good; `why` is what a person needs to know of a bad one."""
    print(f"{GOOD if good else BAD}{sentence}", flush=True)
    if not good and why != "":
        print("          " + str(why).strip()[:4000].replace("\n", "\n          "), flush=True)
    return good


def equal(sentence, found, wanted):
    """Prints one verdict on two values that should be the same."""
    return check(sentence, found == wanted, f"found  {found!r}\nwanted {wanted!r}")


@contextlib.contextmanager
def verdict(sentence):
    """Prints one verdict on a block: bad if it raises, and then the part goes on."""
    try:
        yield
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        check(sentence, False, f"{type(error).__name__}: {error}\nat {last.filename}:{last.lineno}")
    else:
        check(sentence, True)


def main(part):
    """Runs a part. An exception is a bad verdict too; the bad ones make the exit code when they are counted."""
    try:
        part()
    except Exception:
        check("the part came to its end", False, traceback.format_exc())
        sys.exit(1)
