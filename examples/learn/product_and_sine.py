"""The graph of z = x y + sin x: x reaches z by two ways, and its derivative is the sum of both."""

from picture import folder

import fastad as fad


def f(x, y):
    return x * y + fad.sin(x)


def main():
    pictures = folder(__doc__)
    program = fad.record(f, 2.0, 3.0)
    print(fad.inspect.trace(program))
    through_product, through_sine = 3.0, float(fad.cos(2.0))
    print(f"\ndz/dx by the product {through_product}, by the sine {through_sine:.6f}, ", end="")
    print(f"together {through_product + through_sine:.6f}; fastad: {program.grad(2.0, 3.0):.6f}")
    if pictures:
        fad.inspect.graph(program).save(pictures / "product_and_sine.svg")


if __name__ == "__main__":
    main()
