"""Who a provider is, and what it does when nobody says anything."""

from __future__ import annotations

import re
from urllib.parse import unquote

from ....errors import APIKeyError, InvalidRequestError, LLMError
from ....request import LLMRequest
from ..bench import Bench
from ..declarations import Declarations
from ..verdicts import broken, good, require

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class IdentityRules(Declarations):
    """Identity and defaults."""

    def test_it_is_said_how_the_provider_is_reached(self, bench: Bench) -> None:
        require(
            (self.wire is None) == self.in_process,
            "Say how the provider is reached: set wire to its dialect, or in_process = True if it answers inside this "
            "process; not both.",
        )
        _ = bench

    def test_the_declared_faults_are_faults_of_rules(self, bench: Bench) -> None:
        _ = bench
        rules = {name for name in dir(self) if name.startswith("test_")}
        unknown = sorted(fault for fault in self.known_faults if fault.partition("[")[0] not in rules)
        require(not unknown, f"known_faults names {unknown}, which are no rules: take them out, or mend their names.")
        mute = sorted(fault for fault, reason in self.known_faults.items() if not reason.strip())
        require(not mute, f"known_faults gives no reason for {mute}: say why, and whose fault it is.")

    def test_the_name_can_be_typed_everywhere(self, bench: Bench) -> None:
        name: object = bench.provider.name
        require(
            isinstance(name, str) and _NAME.fullmatch(name),
            f"name is {name!r}: make it a str of lower-case letters, digits and _, for it is typed in commands, in "
            "settings and in names of environment variables.",
        )

    def test_each_object_has_the_same_name(self, bench: Bench) -> None:
        one, other = bench.make(), bench.make()
        require(
            one.name == other.name == one.name,
            f"Two providers made alike are called {one.name!r} and {other.name!r}: keys and health are kept by name, "
            "so "
            "return a constant.",
        )

    def test_a_default_model_is_named(self, bench: Bench) -> None:
        model: object = bench.provider.default_model
        require(
            isinstance(model, str) and model.strip(),
            f"default_model is {model!r}: name the model that answers when nobody names one.",
        )

    def test_the_default_model_is_asked_where_none_is_named(self, bench: Bench) -> None:
        server, provider = bench.server, bench.provider
        request = LLMRequest(messages=bench.request().messages, **self.request_fields())
        good("complete", lambda: provider.complete(request))
        sent = server.requests[-1]
        require(
            provider.default_model in f"{sent.body.decode()} {unquote(sent.path)}",
            f"A request without a model did not ask for default_model ({provider.default_model!r}): send that one.",
        )

    def test_to_be_made_asks_nobody(self, bench: Bench) -> None:
        server = bench.server
        bench.make()
        require(
            server.count == 0 and server.connections == 0,
            "The constructor has asked the server: open connections with the first request, for providers are also "
            "made where nothing is asked, as in listings and checks.",
        )

    def test_it_can_be_made_without_a_key(self, bench: Bench) -> None:
        try:
            bench.make("")
        except APIKeyError:
            return
        except Exception as error:  # noqa: BLE001  # an author's constructor may raise anything
            broken(
                f"The constructor raised {type(error).__name__} ({error}) for an empty key: take it, or raise "
                "APIKeyMissingError. It is called so where no key is found."
            )

    def test_an_unknown_option_is_refused(self, bench: Bench) -> None:
        kind = type(bench.provider)
        try:
            kind(api_key=self.key, no_such_option="x")
        except (TypeError, InvalidRequestError):
            return
        broken(
            f"{kind.__name__}(no_such_option='x') was accepted: refuse options that do not exist (a mistyped base_url "
            "would send the key to the default host)."
        )

    def test_a_plain_question_has_an_answer(self, bench: Bench) -> None:
        for way, answer in bench.answers():
            require(
                answer.content,
                f"{way} answered {answer.content!r}: put the text into LLMResponse.content.",
            )
            require(
                answer.provider in {"", bench.provider.name},
                f"{way} says that {answer.provider!r} has answered: leave provider out, or say "
                f"{bench.provider.name!r}.",
            )

    def test_models_are_listed_by_name(self, bench: Bench) -> None:
        self.needs("supports_listing")
        bench.may_ask()
        names: object = good("get_available_models", bench.provider.get_available_models)
        require(
            isinstance(names, list) and names and all(isinstance(name, str) and name.strip() for name in names),
            f"get_available_models returned {names!r}: return a list of names, each a str.",
        )

    def test_the_listing_is_the_servers(self, bench: Bench) -> None:
        self.needs("supports_listing")
        wire, server = bench.wire, bench.server
        self.needs_of_wire(wire.models(["model-a"]), "list of models")
        names = good("get_available_models", bench.provider.get_available_models)
        require(
            server.count == 1 and {"model-a", "model-b"} <= set(names),
            f"get_available_models returned {names!r} where the server lists model-a and model-b: ask the server, and "
            "return what it says.",
        )

    def test_a_listing_that_fails_is_an_error_of_ours(self, bench: Bench) -> None:
        self.needs("supports_listing")
        bench.fail(500)
        try:
            names = bench.provider.get_available_models()
        except LLMError:
            return
        except Exception as error:  # noqa: BLE001  # as above
            broken(f"get_available_models raised {type(error).__name__} ({error}): raise an LLMError.")
        broken(
            f"get_available_models returned {names!r} though the server failed: raise the error, for an empty list "
            "would mean that the key may use no model."
        )
