"""Names of runs: two words that can be said aloud and typed without looking twice."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

_HOW = """able amber ample apt azure bold brave brief bright brisk calm clear clever cosy crisp daring deft eager early
easy fair fine firm fond frank free fresh gentle glad gold good grand green happy hardy honest humble jolly keen kind
large light lively loyal lucky mellow merry mild modest neat nimble noble novel patient plain proud quick quiet rapid
ready rosy round royal rustic sharp shy silent silver sleek smart smooth snowy soft solid steady still sunny sure
sweet swift tidy tough true vivid warm wide wild wise witty young""".split()
_WHO = """alpaca ant badger bat bear beaver bee bison boar buck bunny camel cat cheetah cobra cod colt condor cougar
cow coyote crab crane cricket crow deer dingo dog dolphin donkey dove duck eagle eel elk emu falcon fawn ferret finch
fox frog gazelle gecko gibbon goat goose gull hare hawk hedgehog heron hippo horse ibex ibis jackal jaguar jay kiwi
koala lark lemur lion lizard llama lobster lynx magpie marten mink mole moose moth mouse newt octopus orca osprey
otter owl panda parrot pelican penguin pony puffin puma quail rabbit raven robin salmon seal shark sheep shrew sloth
snail sparrow spider squid stork swan swift tiger toad trout turtle viper walrus wasp weasel whale wolf wombat yak
zebra""".split()


def names() -> Iterator[str]:
    """Names to try, one after another until one is free. Chance here is its own: no seed of the user's moves."""
    for _ in range(8):
        yield f"{secrets.choice(_HOW)}-{secrets.choice(_WHO)}"
    while True:
        yield f"{secrets.choice(_HOW)}-{secrets.choice(_WHO)}-{secrets.randbelow(900) + 100}"
