"""The types that type checkers see of the compiled module are those of the module that was built."""

import ast
from pathlib import Path

import pytest

import recurra
from recurra import _native

STUB = ast.parse((Path(recurra.__file__).parent / "_native.pyi").read_text(encoding="utf-8"))
FUNCTIONS = {node.name: node for node in STUB.body if isinstance(node, ast.FunctionDef)}
CLASSES = {node.name: node for node in STUB.body if isinstance(node, ast.ClassDef)}


def methods(name):
    """Returns the methods of a class by their names, those of its bases included."""
    node = CLASSES[name]
    inherited = [method for base in node.bases for method in methods(base.id).items()]
    return dict(inherited) | {method.name: method for method in node.body if isinstance(method, ast.FunctionDef)}


def parameters(function):
    """Returns (name, may be None) of each parameter."""
    return [(p.arg, p.annotation is not None and "None" in ast.unparse(p.annotation)) for p in function.args.args]


def built_parameters(function):
    """Returns the same of each overload of a function of the compiled module."""
    signatures = [signature for signature, *_ in function.__nb_signature__]
    assert signatures
    return [parameters(ast.parse(f"{signature}: ...").body[0]) for signature in signatures]


def test_the_stub_has_the_names_of_the_module():
    assert {*FUNCTIONS, *CLASSES} == {name for name in dir(_native) if not name.startswith("__")}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_the_stub_take_what_the_module_takes(name):
    for built in built_parameters(getattr(_native, name)):
        assert parameters(FUNCTIONS[name]) == built


@pytest.mark.parametrize("name", CLASSES)
def test_methods_of_the_stub_take_what_the_module_takes(name):
    known = vars(getattr(_native, name)).items()
    own = {key: value for key, value in known if isinstance(value, property) or callable(value)}
    assert set(methods(name)) - {"__init__"} == {key for key in own if key == "__call__" or not key.startswith("__")}
    for key, method in methods(name).items():
        if not isinstance(own[key], property):
            assert [parameters(method)] == built_parameters(own[key])
