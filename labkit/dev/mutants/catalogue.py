"""All mutants of a set of files.

What belongs here: which operators read which file, and that no two mutants are the same. What does not: the
operators, choosing some mutants (sampling).
"""

from collections.abc import Iterable, Iterator, Mapping

from labkit.dev.mutants import configuration, hcl_tree, programs, script, vocabulary, yaml_tree
from labkit.dev.mutants.model import Change, Mutant, mutant_of, with_change
from labkit.dev.mutants.tree import Tree


def mutants_of(files: Mapping[str, str]) -> tuple[Mutant, ...]:
    """Every mutant of these files; each differs from them and from every other. The same files have the same."""
    terraform = {name: hcl_tree.read(text) for name, text in files.items() if name.endswith(".tf")}
    kinds = {name: kind for tree in terraform.values() for name, kind in tree.kinds.items()}
    found: list[Mutant] = []
    for name, text in sorted(files.items()):
        tree = Tree(text, terraform[name].root, kinds) if name in terraform else None
        found += _distinct(name, text, _changes(name, text, tree))
    return tuple(found)


def _distinct(name: str, text: str, changes: Iterable[Change]) -> Iterator[Mutant]:
    """The mutants that differ from the text, and from each other; each with an id of its own."""
    seen = {text}
    ids: dict[str, int] = {}
    for change in changes:
        changed = with_change(text, change)
        if changed in seen:
            continue
        seen.add(changed)
        mutant = mutant_of(name, text, change)
        ids[mutant.id] = ids.get(mutant.id, 0) + 1
        number = f"#{ids[mutant.id]}" if ids[mutant.id] > 1 else ""
        yield Mutant(f"{mutant.id}{number}", name, mutant.line, change)


def _changes(name: str, text: str, terraform: Tree | None) -> Iterable[Change]:
    if terraform is not None:
        return configuration.changes(terraform, vocabulary.TERRAFORM)
    if name.endswith(".yaml"):
        return configuration.changes(yaml_tree.read(text), vocabulary.CLOUDFORMATION)
    if name.endswith(".py"):
        return programs.changes(text)
    return script.changes(text) if name.endswith(".sh") else ()
