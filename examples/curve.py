"""A discount curve from nine par swap rates, and what each of them is worth to a book of 40 swaps, found three ways.

Discount factors are log-linear between the nodes, which Newton's method finds one after the other so that every quoted
swap is worth nothing. The sensitivities come three ways: through all of Newton's steps; by `fad.implicit`, which asks
for the equations in place of the solver and solves one transposed 9 x 9 system; and by bumping every quote.
"""

import numpy as np

import fastad as fad

YEARS = np.array([1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0])
QUOTES = np.array([2.00, 2.15, 2.28, 2.50, 2.67, 2.85, 3.02, 3.08, 3.05]) / 100.0


def discount(logs, times, years):
    """Discount factors, given their logarithms at the nodes."""
    return np.exp(np.interp(times, np.append(0.0, years), np.append(0.0, logs)))


def payments(start, length, per_year):
    return start + np.arange(1, round(length * per_year) + 1) / per_year


def swap(logs, fixed, start, length, years, per_year):
    """What receiving a fixed rate for the floating one is worth, per unit of notional."""
    annuity = discount(logs, payments(start, length, per_year), years).sum() / per_year
    first, last = discount(logs, np.array([start, start + length]), years)
    return fixed * annuity - first + last


def par(logs, quotes, years, per_year):
    """The equations: all quoted swaps are worth nothing."""
    return [swap(logs, quote, 0.0, length, years, per_year) for quote, length in zip(quotes, years)]


def newton(quotes, years, per_year):
    """The solver: one node after the other. It runs on numbers, and on recorded ones as well."""
    logs = np.zeros_like(quotes)
    for n, (quote, length) in enumerate(zip(quotes, years)):
        times = payments(0.0, length, per_year)
        by_node = np.interp(times, np.append(0.0, years), np.eye(len(years) + 1)[n + 1])
        excess = 1.0
        while abs(excess) > 1e-12:  # the step after this makes it exact, in the derivatives too
            factors = discount(logs, times, years)
            excess = quote * factors.sum() / per_year + factors[-1] - 1.0
            logs[n] = logs[n] - excess / (quote * (by_node * factors).sum() / per_year + factors[-1])
    return logs


implied = fad.implicit(newton, par)


def book(quotes, curve, years=YEARS, per_year=2):
    """Present value of 40 swaps in both directions, starting every quarter, on the curve that a solver finds."""
    logs, total = curve(quotes, years, per_year), 0.0
    for k in range(1, 41):
        notional = 1e6 * k * (-1) ** (k + 1)
        total = total + notional * swap(logs, 0.02 + 0.0005 * k, 0.25 * k, k % 10 + 1.0, years, per_year)
    return total


def bumps(quotes, size=1e-6):
    """Central differences, two curves for each quote."""
    return np.array([(book(quotes + h, newton) - book(quotes - h, newton)) / (2 * size) for h in size * np.eye(9)])


def main():
    value, by_equations = fad.value_and_grad(book)(QUOTES, implied)
    through_solver, bumped = fad.grad(book)(QUOTES, newton), bumps(QUOTES)
    factors = discount(newton(QUOTES, YEARS, 2), YEARS, YEARS)

    print(f"40 swaps, present value {value:,.2f}; sensitivity to each quote up by a basis point:")
    columns = YEARS, 100.0 * QUOTES, factors, 1e-4 * through_solver, 1e-4 * by_equations, 1e-4 * bumped
    lines = [
        [f"{year:.0f}", f"{quote:.2f} %", f"{factor:.6f}", *(f"{x:.4f}" for x in slopes)]
        for year, quote, factor, *slopes in zip(*columns)
    ]
    print(fad.inspect.Table(["years", "quote", "discount", "through Newton", "by equations", "by bumps"], lines))
    rows = [fad.record(lambda q, f=f: f(q, YEARS, 2), QUOTES).variants[0].rows for f in (newton, implied)]
    print(f"Rows recorded for the curve: {rows[0]:,} through Newton's steps, {rows[1]} by its equations")
    return value, through_solver, by_equations, bumped


if __name__ == "__main__":
    main()
