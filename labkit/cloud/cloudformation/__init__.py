"""CloudFormation of the local cloud: templates read, checked and carried out through the AWS API.

    source       text of a template → plain values, with the line of each
    template     plain values → sections and declared resources, structure checked
    schema       the resource types that CloudFormation knows (cfn-lint's copies of AWS's schemas)
    check        properties against the schema, and against what the local cloud emulates
    references   which resource needs which; the order of creation
    parameters   the values of a template's parameters, with their constraints
    intrinsics   Ref, Fn::GetAtt, Fn::Sub and the other functions
    cfnresponse  the module that stands beside inline code that answers for a custom resource
    resources/   one handler per resource type: create, update, delete through boto3
    records      stacks, events, resources and change sets, as they are kept
    prepare      a request's template and values, checked and ready to be carried out
    plan         what an update would add, change, replace and remove
    work         one resource at a time, with its events
    operations   create and delete one stack, with rollback
    update       update one stack, with rollback
    changesets   change sets: made, described, executed
    describe     answers that only read
    api          the actions of the API, request to answer
    engine       puts the parts together; what the rest of the cloud calls

What does not belong here: knowledge of moto (labkit.cloud.moto_seam.cloudformation).
"""
