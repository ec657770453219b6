"""The runtimes that Lambda takes for new functions.

State of February 2026, with the retirements announced until November 2026 taken as done. AWS: Lambda
developer guide, "Lambda runtimes" (supported runtimes; deprecated runtimes, "Block function create").

What belongs here: the two lists. What does not: which of them this cloud can run (labkit.cloud.functions).
"""

SUPPORTED = [
    "nodejs24.x",
    "nodejs22.x",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "java25",
    "java21",
    "java17",
    "java11",
    "java8.al2",
    "dotnet10",
    "dotnet8",
    "ruby3.4",
    "ruby3.3",
    "provided.al2023",
]

RETIRED = frozenset(
    [
        "nodejs",
        "nodejs4.3",
        "nodejs4.3-edge",
        "nodejs6.10",
        "nodejs8.10",
        "nodejs10.x",
        "nodejs12.x",
        "nodejs14.x",
        "nodejs16.x",
        "nodejs18.x",
        "nodejs20.x",
        "python2.7",
        "python3.6",
        "python3.7",
        "python3.8",
        "python3.9",
        "java8",
        "dotnetcore1.0",
        "dotnetcore2.0",
        "dotnetcore2.1",
        "dotnetcore3.1",
        "dotnet5.0",
        "dotnet6",
        "dotnet7",
        "ruby2.5",
        "ruby2.7",
        "ruby3.2",
        "go1.x",
        "provided",
        "provided.al2",
    ]
)
