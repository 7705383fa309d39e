"""fastad's values alone: what its sensitivities cost beside them."""

from functools import partial

from . import fastad

WAYS = {
    "down_and_out": partial(fastad.down_and_out, wrt=None),
    "asian": partial(fastad.replayed, fastad.asian_call, wrt=None),
    "heston": partial(fastad.replayed, fastad.heston_call, wrt=None),
    "libor": partial(fastad.libor, wrt=None),
    "sensitivities": partial(fastad.libor, wrt=None),
    "local_vol": partial(fastad.local_vol, wrt=()),
}
